// @ts-check
import { html } from '../views/html.js'
import { accounts, password } from './accounts.js'

/** @typedef {import('../views/html.js').Html} Html */
/** @typedef {{ action: string, client: string, problem: string | null }} State `problem`: with what was typed. */

/**
 * @param {string} title
 * @param {Html} body
 */
function page(title, body) {
  return html`<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>${title} · Local Sign-in</title>
    <link rel="icon" href="data:,">
    <link rel="stylesheet" href="/style.css">
  </head>
  <body>
    <main>
      <p class="brand"><span aria-hidden="true">◆</span> Local Sign-in</p>
      <h1>${title}</h1>
      ${body}
    </main>
    <footer>A real OpenID provider, on this machine alone, for trying things out. The password is “${password}”.</footer>
  </body>
</html>
`
}

/**
 * @param {string | null} problem
 * @param {Html} input
 */
function passwordField(problem, input) {
  return html`<label for="password">Password</label>
        ${problem !== null && html`<p class="problem" role="alert">${problem}</p>`}
        ${input}`
}

/** @param {State} state */
export function choicePage({ action, client, problem }) {
  const input = html`<input id="password" name="password" type="password" value="${password}" required autocomplete="off" aria-describedby="hint">`
  return page(
    'Choose an account',
    html`<p>to go on to <strong>${client}</strong>, which will read your name and your email address.</p>
      <form method="post" action="${action}">
        ${passwordField(problem, input)}
        <small id="hint">The same for every account, and filled in already.</small>
        ${accounts.map(
          ({ id, name, email }) => html`<button class="account" name="account" value="${id}">
          <span class="initial" aria-hidden="true">${name[0]}</span>
          <span><span class="unseen">Sign in as </span><strong>${name}</strong><br><small>${email}</small></span>
        </button>`,
        )}
        <button class="plain" name="account" value="" formnovalidate>Cancel</button>
      </form>`,
  )
}

/** @param {State & { account: typeof accounts[number] }} state */
export function passwordPage({ action, client, problem, account: { id, name, email } }) {
  const input = html`<input id="password" name="password" type="password" required autofocus autocomplete="current-password">`
  return page(
    'Type your password',
    html`<p><strong>${client}</strong> wants to know that you are still <strong>${name}</strong> (${email}).</p>
      <form method="post" action="${action}">
        ${passwordField(problem, input)}
        <button class="strong" name="account" value="${id}">Confirm</button>
        <button class="plain" name="account" value="" formnovalidate>Cancel</button>
        <a href="?other">Use another account</a>
      </form>`,
  )
}

/**
 * `form` is oidc-provider's own, which the buttons send.
 *
 * @param {string} form
 */
export function signOutPage(form) {
  const [, action = ''] = /action="([^"]*)"/.exec(form) ?? []
  const [, xsrf = ''] = /name="xsrf" value="([^"]*)"/.exec(form) ?? []
  return page(
    'Sign out here, too?',
    html`<p>Every application that you signed in to from here will be told, and signs you out.</p>
      <form method="post" action="${action}">
        <input type="hidden" name="xsrf" value="${xsrf}">
        <button class="strong" name="logout" value="yes">Yes, sign out</button>
        <button class="plain">No, stay signed in</button>
      </form>`,
  )
}

export function signedOutPage() {
  return page('You are signed out here', html`<p>You can close this page.</p>`)
}

/** @param {string} message */
export function problemPage(message) {
  return page(
    'That did not work',
    html`<p>${message}</p><p>Go back to the application, and sign in again.</p>`,
  )
}
