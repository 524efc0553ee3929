import type { Measurement } from '../chaos/protocol.js'
import type { SoakResult } from './soak.js'

function counts(record: Readonly<Record<string, number>>): string {
  return Object.entries(record)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, count]) => `${name}: ${count.toLocaleString('en')}`)
    .join(', ')
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(2)} MB`
}

function handles(measurement: Measurement): string {
  return counts(measurement.handles)
}

/** The result as a table of markdown. */
export function summary(result: SoakResult): string {
  const { warm, end, activity } = result
  const total = Object.values(result.statuses).reduce((sum, count) => sum + count, 0)
  const growth = ((end.heapBytes / warm.heapBytes - 1) * 100).toFixed(1)
  const rows = [
    ['store', result.store],
    ['time', `${(result.seconds / 60).toFixed(1)} minutes`],
    ['requests', `${total.toLocaleString('en')} (${counts(result.statuses)})`],
    ['sign-ins', result.signIns.toLocaleString('en')],
    ['refusals by cause', counts(result.refusals)],
    ['slowest answer', `${result.slowestMs.toLocaleString('en')} ms`],
    ['activity', counts({ ...activity })],
    [
      'heap after the warm-up, at the end',
      `${megabytes(warm.heapBytes)}, ${megabytes(end.heapBytes)} (${growth} %)`,
    ],
    ['memory of the process', `${megabytes(warm.rssBytes)}, ${megabytes(end.rssBytes)}`],
    ['handles after the warm-up', handles(warm)],
    ['handles at the end', handles(end)],
    ['sessions wrongly ended, accepted', `${result.wronglyEnded}, ${result.wronglyAccepted}`],
  ]
  return ['| | |', '|---|---|', ...rows.map(([name, value]) => `| ${name} | ${value} |`)].join('\n')
}
