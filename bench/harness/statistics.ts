/** The median of a series, and the middle half of it. */
export interface Spread {
  readonly median: number
  readonly low: number
  readonly high: number
}

function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  const position = (sorted.length - 1) * part
  const below = sorted[Math.floor(position)] as number
  const above = sorted[Math.ceil(position)] as number
  return below + (above - below) * (position - Math.floor(position))
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

export function spreadOf(values: readonly number[]): Spread {
  return { median: median(values), low: quantile(values, 0.25), high: quantile(values, 0.75) }
}

/** The ratios of neighbours: what was measured in the same round. */
export function ratios(over: readonly number[], under: readonly number[]): Spread {
  return spreadOf(over.map((value, round) => value / (under[round] as number)))
}

/**
 * The same for costs, in the calmer half of the rounds: those in which the two together took least. A machine that is
 * shared is slow for a second or two at a time, and then often for one of the two only.
 */
export function calmRatios(over: readonly number[], under: readonly number[]): Spread {
  const rounds = over.map((cost, round) => ({ cost, other: under[round] as number }))
  const calm = rounds
    .toSorted((a, b) => a.cost * a.other - b.cost * b.other)
    .slice(0, Math.ceil(over.length / 2))
  return spreadOf(calm.map(({ cost, other }) => cost / other))
}
