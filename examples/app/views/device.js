// @ts-check
import { Html, html } from './html.js'
import { layout } from './layout.js'

/**
 * The page where a device's code is typed and allowed. gosesh/oauth gives the body as HTML.
 *
 * @param {object} page
 * @param {import('../profiles.js').Profile | null} page.user
 * @param {string} page.title
 * @param {string} page.body
 */
export function devicePage({ user, title, body }) {
  return layout({
    title,
    user,
    page: 'device',
    main: html`<main id="main" class="narrow card connect"><h1>${title}</h1>${new Html(body)}</main>`,
  })
}
