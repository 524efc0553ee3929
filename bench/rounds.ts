/** @param {number[]} values */
function median(values) {
  const sorted = values.toSorted((a, b) => a - b)
  return /** @type {number} */ (sorted[Math.floor(sorted.length / 2)])
}

/**
 * Runs the two in turn, many short rounds each, and compares neighbours: machines are noisy, ratios hold.
 *
 * @param {{ rounds: number, operations: number, baseline: () => void, subject: () => void }} options
 */
export function compareInRounds({ rounds, operations, baseline, subject }) {
  const times = { baseline: /** @type {number[]} */ ([]), subject: /** @type {number[]} */ ([]) }
  const time = (/** @type {() => void} */ run) => {
    const started = process.hrtime.bigint()
    run()
    return Number(process.hrtime.bigint() - started) / operations
  }
  for (let round = 0; round < rounds; round++) {
    // Which of the two goes first changes from round to round.
    if (round % 2 === 0) times.baseline.push(time(baseline))
    times.subject.push(time(subject))
    if (round % 2 === 1) times.baseline.push(time(baseline))
  }
  const ratios = times.subject.map((value, index) => value / /** @type {number} */ (times.baseline[index]))
  ratios.sort((a, b) => a - b)
  return {
    baselineNs: median(times.baseline),
    subjectNs: median(times.subject),
    ratio: median(ratios),
    /** The middle half of the ratios. */
    spread: [1, 3].map((quarter) => ratios[Math.floor((rounds * quarter) / 4)]?.toFixed(2)),
  }
}
