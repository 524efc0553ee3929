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

export function goalsText(goals: readonly Goal[]): string {
  const columns = ['measure', 'goal', 'measured', 'by throughput', '']
  const rows = goals.map((goal) => [
    goal.measure,
    goalText(goal),
    showSpread(goal.measured) + (goal.unit ?? ''),
    goal.throughput === undefined ? '' : showSpread(goal.throughput),
    isMet(goal) ? 'met' : '**not met**',
  ])
  return tableOf(columns, rows)
}
