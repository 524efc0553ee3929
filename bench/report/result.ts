import type { Spread } from '../harness/statistics.js'

export interface Table {
  readonly title: string
  readonly columns: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

/** What a measure should come to. */
export interface Goal {
  readonly measure: string
  readonly goal: { readonly atLeast: number } | { readonly atMost: number }
  readonly unit?: string
  readonly measured: Spread
  /** Beside the one that is judged: the less steady of the two. */
  readonly throughput?: Spread
}

/** Points of a curve. */
export interface Series {
  readonly name: string
  readonly points: readonly (readonly [number, number])[]
}

export interface SectionResult {
  readonly tables: readonly Table[]
  readonly goals: readonly Goal[]
  /** Single figures that other sections reckon with. */
  readonly figures?: Readonly<Record<string, number>>
  readonly curves?: readonly {
    readonly title: string
    readonly x: string
    readonly series: readonly Series[]
  }[]
  readonly notes?: readonly string[]
}

interface Settings {
  readonly quick: boolean
  /** The figures of the sections that ran before this one. */
  readonly figures: Readonly<Record<string, number>>
}

export interface Section {
  readonly title: string
  run(settings: Settings): Promise<SectionResult>
}

export function isMet({ goal, measured }: Goal): boolean {
  return 'atLeast' in goal ? measured.median >= goal.atLeast : measured.median <= goal.atMost
}

/** A single value, as a goal takes it. */
export function exactly(value: number): Spread {
  return { median: value, low: value, high: value }
}

/** A number as people read it: three significant digits, thousands apart. */
export function show(value: number): string {
  if (!Number.isFinite(value)) return '–'
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2
  return value.toLocaleString('en-GB', { maximumFractionDigits: digits, minimumFractionDigits: digits })
}

export function showCount(value: number): string {
  return Math.round(value).toLocaleString('en-GB')
}

/** The median, and in brackets the middle half. */
export function showSpread({ median, low, high }: Spread): string {
  return low === high ? show(median) : `${show(median)} (${show(low)}–${show(high)})`
}
