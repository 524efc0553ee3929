export interface Comparison {
  readonly baselineNs: number
  readonly subjectNs: number
  /** The median of the subject's time over the baseline's, round by round. */
  readonly ratio: number
  /** The middle half of the ratios. */
  readonly spread: readonly [number, number]
}

function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length * part)] as number
}

function timePer(operations: number, run: () => void): number {
  const started = process.hrtime.bigint()
  run()
  return Number(process.hrtime.bigint() - started) / operations
}

/** Runs the two in turn, many short rounds each, and compares neighbours: machines are noisy, ratios hold. */
export function compareInRounds(options: {
  readonly rounds: number
  readonly operations: number
  baseline(): void
  subject(): void
}): Comparison {
  const { rounds, operations, baseline, subject } = options
  const [baselines, subjects]: [number[], number[]] = [[], []]
  for (let round = 0; round < rounds; round++) {
    // Which of the two goes first changes from round to round.
    if (round % 2 === 0) baselines.push(timePer(operations, baseline))
    subjects.push(timePer(operations, subject))
    if (round % 2 === 1) baselines.push(timePer(operations, baseline))
  }
  const ratios = subjects.map((value, index) => value / (baselines[index] as number))
  return {
    baselineNs: quantile(baselines, 0.5),
    subjectNs: quantile(subjects, 0.5),
    ratio: quantile(ratios, 0.5),
    spread: [quantile(ratios, 0.25), quantile(ratios, 0.75)],
  }
}
