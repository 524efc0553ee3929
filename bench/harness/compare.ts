import type { Measurement, RunningCandidate } from './candidate.js'
import { calmRatios, type Spread, spreadOf } from './statistics.js'

export interface CompareOptions {
  readonly rounds: number
  /** Seconds that each candidate gets in a round. */
  readonly seconds: number
}

/** Requests under way at once: enough to keep a server busy, few enough that they do not wait long. */
const connections = 32

/** What each candidate did in each round. */
export class Comparison {
  readonly #rounds: ReadonlyMap<string, readonly Measurement[]>

  constructor(rounds: ReadonlyMap<string, readonly Measurement[]>) {
    this.#rounds = rounds
  }

  get titles(): string[] {
    return [...this.#rounds.keys()]
  }

  of(title: string): readonly Measurement[] {
    const found = this.#rounds.get(title)
    if (found === undefined) throw new Error(`no candidate ${title}`)
    return found
  }

  spread(title: string, value: (measurement: Measurement) => number): Spread {
    return spreadOf(this.of(title).map(value))
  }

  /** The throughput of one over that of the other, round by round. */
  throughput(title: string, beside: string): Spread {
    const seconds = (name: string): number[] => this.of(name).map(({ perSecond }) => 1 / perSecond)
    return calmRatios(seconds(beside), seconds(title))
  }

  /** Requests for the same processor time, of one over those of the other, round by round. */
  efficiency(title: string, beside: string): Spread {
    const cpu = (name: string): number[] => this.of(name).map(({ cpuPerRequest }) => cpuPerRequest)
    return calmRatios(cpu(beside), cpu(title))
  }
}

/** Loads the candidates in turn, in many short rounds; where a round begins changes from round to round. */
export async function compare(
  candidates: readonly RunningCandidate[],
  { rounds, seconds }: CompareOptions,
): Promise<Comparison> {
  const results = new Map<string, Measurement[]>(candidates.map(({ title }) => [title, []]))
  // Twice round without looking, for the compiler to have seen what it will see.
  for (const warmUp of [0.5, 0.3]) {
    for (const candidate of candidates) await candidate.measure(warmUp, connections)
  }
  for (let round = 0; round < rounds; round++) {
    const first = round % candidates.length
    const order = [...candidates.slice(first), ...candidates.slice(0, first)]
    if (round % 2 === 1) order.reverse()
    for (const candidate of order) {
      results.get(candidate.title)?.push(await candidate.measure(seconds, connections))
    }
  }
  return new Comparison(results)
}
