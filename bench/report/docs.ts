import { readFileSync, writeFileSync } from 'node:fs'
import { goalsText, sectionText } from './markdown.js'
import { plot } from './plot.js'
import type { Goal, SectionResult } from './result.js'

export interface Report {
  readonly date: string
  /** The kind of machine, and what ran on it. */
  readonly machine: string
  /** The version of Node. */
  readonly node: string
  readonly quick: boolean
  readonly sections: Readonly<Record<string, SectionResult>>
}

const page = 'docs/performance.md'
const picture = 'docs/performance-growth.svg'

/** With the results of another Node in a column of their own, if there are any. */
export function reportGoals(report: Report, beside: Report | null = null): string {
  return goalsText(goalsOf(report), beside === null ? null : { node: beside.node, goals: goalsOf(beside) })
}

function goalsOf({ sections }: Report): Goal[] {
  return Object.values(sections).flatMap(({ goals }) => goals)
}

/** Puts the text between the marks of that name; what stands around them is left alone. */
function fill(text: string, name: string, content: string): string {
  const [start, end] = [`<!-- bench ${name} -->`, `<!-- end ${name} -->`]
  const [from, to] = [text.indexOf(start), text.indexOf(end)]
  if (from === -1 || to === -1) throw new Error(`${page} has no marks for ${name}`)
  return `${text.slice(0, from + start.length)}\n${content}\n${text.slice(to)}`
}

/** Writes the figures into the page and draws the picture: no figure there is typed by hand. */
export function writeDocs(report: Report, beside: Report | null): void {
  const form = report.quick ? 'the quick form' : 'the full form'
  let text = readFileSync(page, 'utf8')
  const besideText = beside === null ? '' : ` Beside it the goals on Node ${beside.node}, ${beside.date}.`
  text = fill(text, 'machine', `${report.date}, ${form}: ${report.machine}.${besideText}`)
  text = fill(text, 'goals', reportGoals(report, beside))
  for (const [name, result] of Object.entries(report.sections)) text = fill(text, name, sectionText(result))
  writeFileSync(page, text)
  const curves = Object.values(report.sections).flatMap((result) => result.curves ?? [])
  if (curves.length > 0) writeFileSync(picture, plot(curves))
}
