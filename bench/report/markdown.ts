import { type Goal, isMet, type SectionResult, show, showSpread, type Table } from './result.js'

function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`
}

/** A table of Markdown; the columns line up where it is read as text. */
function tableOf(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = columns.map((column, i) =>
    Math.max(1, column.length, ...rows.map((cells) => cells[i]?.length ?? 0)),
  )
  const pad = (cells: readonly string[]): string[] =>
    cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] as number) : cell.padStart(widths[i] as number)))
  const rule = widths.map((width, i) => (i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`))
  return [row(pad(columns)), row(rule), ...rows.map((cells) => row(pad(cells)))].join('\n')
}

function tableText({ title, columns, rows }: Table): string {
  return `**${title}**\n\n${tableOf(columns, rows)}`
}

export function sectionText({ tables, notes = [] }: SectionResult): string {
  return [...tables.map(tableText), ...notes].join('\n\n')
}

function goalText({ goal, unit = '' }: Goal): string {
  return 'atLeast' in goal ? `at least ${show(goal.atLeast)}${unit}` : `at most ${show(goal.atMost)}${unit}`
}

/** The goals of another run, which a column shows beside these. */
interface OtherGoals {
  readonly node: string
  readonly goals: readonly Goal[]
}

export function goalsText(goals: readonly Goal[], other: OtherGoals | null = null): string {
  const columns = ['measure', 'goal', 'measured', 'by throughput', '']
  const rows = goals.map((goal) => [
    goal.measure,
    goalText(goal),
    measuredText(goal),
    goal.throughput === undefined ? '' : showSpread(goal.throughput),
    isMet(goal) ? 'met' : '**not met**',
    ...(other === null ? [] : [besideText(other.goals.find(({ measure }) => measure === goal.measure))]),
  ])
  return tableOf(other === null ? columns : [...columns, `on Node ${other.node}`], rows)
}

function measuredText({ measured, unit = '' }: Goal): string {
  return showSpread(measured) + unit
}

function besideText(goal: Goal | undefined): string {
  if (goal === undefined) return '–'
  return isMet(goal) ? measuredText(goal) : `${measuredText(goal)}, not met`
}
