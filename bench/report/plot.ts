import { type SectionResult, show } from './result.js'

type Curve = NonNullable<SectionResult['curves']>[number]

const panel = { width: 420, height: 280, left: 50, right: 20, top: 40, bottom: 45 }
const colours = ['#1f6feb', '#cf222e', '#1a7f37', '#8250df']

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}

function label(x: number, y: number, text: string, anchor = 'middle', size = 11): string {
  return `<text x="${x}" y="${y}" text-anchor="${anchor}" font-size="${size}">${escaped(text)}</text>`
}

function countLabel(value: number): string {
  return value >= 1e6 ? `${value / 1e6}M` : value >= 1e3 ? `${value / 1e3}k` : String(value)
}

/** One panel: the horizontal axis is logarithmic, the vertical one begins at 0. */
function panelOf({ title, x: xTitle, series }: Curve): string {
  const { width, height, left, right, top, bottom } = panel
  const xs = [...new Set(series.flatMap(({ points }) => points.map(([x]) => x)))].sort((a, b) => a - b)
  const highest = Math.max(1, ...series.flatMap(({ points }) => points.map(([, y]) => y))) * 1.1
  const [first, last] = [Math.log(xs[0] as number), Math.log(xs.at(-1) as number)]
  const xOf = (x: number): number => left + ((Math.log(x) - first) / (last - first)) * (width - left - right)
  const yOf = (y: number): number => height - bottom - (y / highest) * (height - top - bottom)
  const grid = [0, 0.25, 0.5, 0.75, 1].map((part) => {
    const y = yOf(part * highest)
    const line = `<line x1="${left}" x2="${width - right}" y1="${y}" y2="${y}" stroke="#d0d7de"/>`
    return line + label(left - 6, y + 4, show(part * highest), 'end')
  })
  const ticks = xs.map((x) => label(xOf(x), height - bottom + 16, countLabel(x)))
  const lines = series.map(({ name, points }, i) => {
    const colour = colours[i % colours.length]
    const path = points.map(([x, y]) => `${xOf(x)},${yOf(y)}`).join(' ')
    const dots = points
      .map(([x, y]) => `<circle cx="${xOf(x)}" cy="${yOf(y)}" r="3" fill="${colour}"/>`)
      .join('')
    const line = `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>`
    const key = `<g fill="${colour}">${label(left + 8 + i * 90, height - bottom - 8, name, 'start')}</g>`
    return line + dots + key
  })
  const titles = label(width / 2, 22, title, 'middle', 13) + label(width / 2, height - 8, xTitle)
  return [titles, ...grid, ...ticks, ...lines].join('\n')
}

/** The curves side by side, as SVG. */
export function plot(curves: readonly Curve[]): string {
  const { width, height } = panel
  const panels = curves.map(
    (curve, i) => `<g transform="translate(${i * width} 0)">\n${panelOf(curve)}\n</g>`,
  )
  const size = `width="${width * curves.length}" height="${height}"`
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} font-family="sans-serif">
<title>${escaped(curves.map(({ title }) => title).join('; '))}</title>
<rect width="100%" height="100%" fill="#fff"/>
${panels.join('\n')}
</svg>
`
}
