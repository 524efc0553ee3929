// @ts-check

const entities = /** @type {Record<string, string>} */ ({
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
})

/** Markup that is safe to put into a page as it is. Only `html` makes it. */
export class Html {
  #text

  /** @param {string} text */
  constructor(text) {
    this.#text = text
  }

  toString() {
    return this.#text
  }
}

/**
 * @param {unknown} value
 * @returns {string}
 */
function render(value) {
  if (value instanceof Html) return value.toString()
  if (Array.isArray(value)) return value.map(render).join('')
  if (value === null || value === undefined || value === false) return ''
  return String(value).replace(/[&<>"']/g, (character) => entities[character] ?? '')
}

/**
 * A template whose values are escaped, for text and for quoted attributes. Other markup goes in as it is; a list is
 * joined; `null`, `undefined` and `false` are left out.
 *
 * @param {TemplateStringsArray} strings
 * @param {unknown[]} values
 */
export function html(strings, ...values) {
  return new Html(String.raw({ raw: strings }, ...values.map(render)))
}
