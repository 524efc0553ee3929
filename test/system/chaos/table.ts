import type { Result } from './scenario.js'

const columns = [
  'fault',
  'store',
  'answers during the fault, by status',
  'slowest answer',
  'time to resume',
  'activity lost / bound',
  'sessions wrongly ended',
  'sessions wrongly accepted',
]

function milliseconds(ms: number): string {
  return `${ms.toLocaleString('en')} ms`
}

function byStatus(statuses: Result['statuses']): string {
  const name = (status: string): string => (status === '0' ? 'none' : status)
  return Object.entries(statuses)
    .map(([status, count]) => `${name(status)}: ${count.toLocaleString('en')}`)
    .join(', ')
}

function row(result: Result): string[] {
  return [
    result.fault,
    result.store,
    byStatus(result.statuses),
    milliseconds(result.slowestMs),
    milliseconds(result.resumeMs),
    `${milliseconds(result.lossMs)} / ${milliseconds(result.lossBoundMs)}`,
    String(result.wronglyEnded),
    String(result.wronglyAccepted),
  ]
}

function line(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`
}

/** The results as a table of markdown. */
export function table(results: readonly Result[]): string {
  const rule = `|${columns.map(() => '---|').join('')}`
  return [line(columns), rule, ...results.map((result) => line(row(result)))].join('\n')
}
