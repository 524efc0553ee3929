// What runs in a page needs the types of a browser: this file is checked with the examples.

/** @typedef {import('playwright-core').Page} Page */
/** @typedef {[red: number, green: number, blue: number, alpha: number]} Colour */

/**
 * What a page lacks of the basics of accessibility, as sentences; none where all is well.
 *
 * @param {Page} page
 * @returns {Promise<string[]>}
 */
export async function complaintsOf(page) {
  return await page.evaluate(() => {
    /** @type {string[]} */
    const complaints = []
    /** @param {string} selector */
    const all = (selector) => [
      .../** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(selector)),
    ]

    if (document.documentElement.lang !== 'en') complaints.push('the language is not said')
    if (document.title === '') complaints.push('there is no title')
    for (const landmark of ['h1', 'main']) {
      const { length } = all(landmark)
      if (length !== 1) complaints.push(`${length} elements ${landmark}`)
    }
    const { scrollWidth, clientWidth } = document.documentElement
    if (scrollWidth > clientWidth) complaints.push(`${scrollWidth - clientWidth} pixels to scroll sideways`)
    for (const element of all('body *')) {
      const { display, overflow } = getComputedStyle(element)
      const spills = element.scrollWidth > element.clientWidth + 1
      if (spills && display !== 'inline' && overflow === 'visible') {
        complaints.push(`wider than its box: ${element.outerHTML.slice(0, 200)}`)
      }
    }
    for (const element of all('a, button')) {
      const name = element.getAttribute('aria-label') ?? element.textContent?.trim()
      if (!name) complaints.push(`without a name: ${element.outerHTML}`)
    }
    for (const input of /** @type {HTMLInputElement[]} */ (all('input:not([type=hidden])'))) {
      if (input.labels?.length !== 1) complaints.push(`without a label: ${input.outerHTML}`)
      for (const id of (input.getAttribute('aria-describedby') ?? '').split(' ').filter(Boolean)) {
        if (document.getElementById(id) === null) complaints.push(`described by what is not there: ${id}`)
      }
    }
    for (const image of all('img')) if (!image.hasAttribute('alt')) complaints.push(image.outerHTML)
    return complaints
  })
}

/**
 * Texts whose contrast with what is behind them is below WCAG 2.2 AA: 4.5, or 3 where they are large.
 *
 * @param {Page} page
 * @returns {Promise<string[]>}
 */
export async function faintTexts(page) {
  return await page.evaluate(() => {
    /**
     * @param {string} text
     * @returns {Colour}
     */
    const parse = (text) => {
      const [red = 0, green = 0, blue = 0, alpha = 1] = (text.match(/[\d.]+/g) ?? []).map(Number)
      return [red, green, blue, alpha]
    }
    /** @param {Colour} colour */
    const luminance = (colour) => {
      const [red = 0, green = 0, blue = 0] = colour.slice(0, 3).map((value) => {
        const share = value / 255
        return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
      })
      return 0.2126 * red + 0.7152 * green + 0.0722 * blue
    }
    /**
     * @param {Element} element
     * @returns {Colour}
     */
    const behind = (element) => {
      for (let up = /** @type {Element | null} */ (element); up !== null; up = up.parentElement) {
        const colour = parse(getComputedStyle(up).backgroundColor)
        if (colour[3] === 1) return colour
      }
      return [255, 255, 255, 1]
    }
    const faint = []
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
    let count = 0
    for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
      const element = /** @type {HTMLElement} */ (node.parentElement)
      const text = node.textContent?.trim() ?? ''
      // What cannot be used may be faint (WCAG 2.2, 1.4.3).
      if (text === '' || !element.checkVisibility() || element.closest(':disabled') !== null) continue
      count += 1
      const { color, fontSize, fontWeight } = getComputedStyle(element)
      const [one, two] = [luminance(parse(color)), luminance(behind(element))]
      const ratio = (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05)
      const size = Number.parseFloat(fontSize)
      const large = size >= 24 || (size >= 18.66 && Number(fontWeight) >= 700)
      if (ratio < (large ? 3 : 4.5)) faint.push(`${ratio.toFixed(2)}: ${text}`)
    }
    if (count === 0) faint.push('there is no text')
    return faint
  })
}

/**
 * What the tab key reaches from the top of the page, in order, by its name. Rejects where nothing shows the focus.
 *
 * @param {Page} page
 * @returns {Promise<string[]>}
 */
export async function focusOrder(page) {
  const names = []
  for (let presses = 0; presses < 40; presses++) {
    await page.keyboard.press('Tab')
    const found = await page.evaluate(() => {
      const element = document.activeElement
      if (!(element instanceof HTMLElement) || element === document.body) return null
      const { outlineStyle, outlineWidth } = getComputedStyle(element)
      const name = (element.textContent ?? '').trim().replace(/\s+/g, ' ')
      return { name, outlined: outlineStyle !== 'none' && outlineWidth !== '0px' }
    })
    if (found === null) return names
    if (!found.outlined) throw new Error(`nothing shows that the focus is on ${found.name}`)
    names.push(found.name)
  }
  throw new Error('the focus does not come to an end')
}

/**
 * Whether the focus is on what the selector finds.
 *
 * @param {Page} page
 * @param {string} selector
 */
export async function hasFocus(page, selector) {
  return await page.locator(selector).evaluate((element) => element === document.activeElement)
}

/**
 * What makes one of several controls stand out: size and colours.
 *
 * @param {Page} page
 * @param {string} selector
 */
export async function looksOf(page, selector) {
  return await page.locator(selector).evaluateAll((elements) =>
    elements.map((element) => {
      const { width, height } = element.getBoundingClientRect()
      const { backgroundColor, borderColor, color, fontWeight } = getComputedStyle(element)
      return { width: Math.round(width), height, backgroundColor, borderColor, color, fontWeight }
    }),
  )
}
