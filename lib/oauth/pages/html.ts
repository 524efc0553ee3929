import { hash } from 'node:crypto'
import { stylesheet } from './stylesheet.js'

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** Markup that goes into a page as it is. Only `html` makes it from text. */
export class Html {
  readonly #markup: string

  constructor(markup: string) {
    this.#markup = markup
  }

  toString(): string {
    return this.#markup
  }
}

/** What may stand in a template: text, which is escaped, or markup. */
export type HtmlValue = string | Html

function render(value: HtmlValue): string {
  if (value instanceof Html) return value.toString()
  return value.replace(/[&<>"']/g, (character) => entities[character] as string)
}

/** A template whose values are escaped, for text and for quoted attributes; other markup goes in as it is. */
export function html(strings: TemplateStringsArray, ...values: HtmlValue[]): Html {
  return new Html(String.raw({ raw: strings }, ...values.map(render)))
}

/** Nothing but this one stylesheet, and forms to this origin; in no frame. */
export const contentSecurityPolicy: string = [
  "default-src 'none'",
  `style-src 'sha256-${hash('sha256', stylesheet, 'base64')}'`,
  "form-action 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
].join('; ')

/** A whole page, without script or image. */
export function page(language: string, title: string, body: Html): string {
  return html`<!doctype html>
<html lang="${language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<style>${new Html(stylesheet)}</style>
</head>
<body>
<main>
<h1>${title}</h1>
${body}
</main>
</body>
</html>
`.toString()
}
