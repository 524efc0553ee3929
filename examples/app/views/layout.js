// @ts-check
import { html } from './html.js'

/** @typedef {import('./html.js').Html} Html */
/** @typedef {import('../profiles.js').Profile} Profile */

const stylesheet = html`<link rel="icon" href="/public/icon.svg" type="image/svg+xml">
    <link rel="stylesheet" href="/public/style.css">`

const links = /** @type {const} */ ([
  { page: 'account', url: '/account', text: 'Devices' },
  { page: 'profile', url: '/profile', text: 'Name' },
  { page: 'security', url: '/security', text: 'Security' },
  { page: 'device', url: '/auth/device', text: 'Connect' },
])

/** @typedef {typeof links[number]['page'] | null} PageName */

/** @param {PageName} page */
function navigation(page) {
  return html`<nav aria-label="Account">
        <ul>
          ${links.map(
            ({ page: name, url, text }) =>
              html`<li><a href="${url}"${name === page && html` aria-current="page"`}>${text}</a></li>`,
          )}
        </ul>
      </nav>`
}

/**
 * The bar at the top, with the account; without a user, nothing but the name.
 *
 * @param {{ user: Profile | null, page: PageName }} state
 */
function headerOf({ user, page }) {
  return html`<a class="skip" href="#main">Skip to the content</a>
    <header class="bar">
      <a class="brand" href="/"><img src="/public/icon.svg" alt="" width="28" height="28"><span>gosesh example</span></a>
      ${
        user !== null &&
        html`${navigation(page)}
      <p class="account"><span class="unseen">Signed in as </span>${user.name}</p>
      <form method="post" action="/auth/sign-out"><button>Sign out here</button></form>`
      }
    </header>`
}

/**
 * @param {object} page
 * @param {string} page.title
 * @param {Profile | null} [page.user]
 * @param {PageName} [page.page] The link of the navigation that leads here.
 * @param {Html} [page.head] More for the head, such as a script.
 * @param {Html} page.main
 */
export function layout({ title, user = null, page = null, head = html``, main }) {
  return html`<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>${title} · gosesh example</title>
    ${stylesheet}
    ${head}
  </head>
  <body>
    ${headerOf({ user, page })}
    ${main}
  </body>
</html>
`
}
