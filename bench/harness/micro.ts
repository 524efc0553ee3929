import { ratios, type Spread, spreadOf } from './statistics.js'

type Work = () => void | Promise<void>

export interface MicroComparison {
  /** Nanoseconds an operation. */
  readonly baseline: Spread
  readonly subject: Spread
  /** The subject's time over the baseline's, round by round. */
  readonly ratio: Spread
}

async function timePer(operations: number, run: Work): Promise<number> {
  const started = process.hrtime.bigint()
  // What is synchronous stays so: a turn of the microtask queue would be measured with it.
  const pending = run()
  if (pending !== undefined) await pending
  return Number(process.hrtime.bigint() - started) / operations
}

/** Runs the two in turn, many short rounds each, and compares neighbours. */
export async function compareInRounds(options: {
  readonly rounds: number
  readonly operations: number
  readonly baseline: Work
  readonly subject: Work
}): Promise<MicroComparison> {
  const { rounds, operations, baseline, subject } = options
  const [baselines, subjects]: [number[], number[]] = [[], []]
  for (let round = 0; round < rounds; round++) {
    // Which of the two goes first changes from round to round.
    if (round % 2 === 0) baselines.push(await timePer(operations, baseline))
    subjects.push(await timePer(operations, subject))
    if (round % 2 === 1) baselines.push(await timePer(operations, baseline))
  }
  return { baseline: spreadOf(baselines), subject: spreadOf(subjects), ratio: ratios(subjects, baselines) }
}
