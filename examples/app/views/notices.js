// @ts-check
import { html } from './html.js'
import { layout } from './layout.js'

/** @param {{ signInUrl: string, ended: boolean }} state */
export function signedOutPage({ signInUrl, ended }) {
  return layout({
    title: 'Signed out',
    main: html`<main id="main" class="narrow">
      <section class="card hero">
        <h1>You are signed out</h1>
        <p class="lead">${
          ended
            ? 'Your session has ended: by its time, or because it was signed out.'
            : 'This browser holds no session any more.'
        }</p>
        <a class="button primary wide" href="${signInUrl}">Sign in again</a>
      </section>
    </main>`,
  })
}

/**
 * @typedef {object} Problem
 * @property {string} title
 * @property {string} text
 * @property {import('../profiles.js').Profile | null} [user]
 * @property {string} [url] The way back, by default to the start.
 * @property {string} [link] What it is called.
 * @property {string} [code] What to tell the support.
 */

/** @param {Problem} problem */
function problemPage({ title, text, user = null, url = '/', link = 'Back to the start', code }) {
  return layout({
    title,
    user,
    main: html`<main id="main" class="narrow">
      <section class="card hero">
        <h1>${title}</h1>
        <p class="lead">${text}</p>
        <a class="button primary wide" href="${url}">${link}</a>
        ${code !== undefined && html`<p class="quiet"><code>${code}</code></p>`}
      </section>
    </main>`,
  })
}

/**
 * @param {number} statusCode
 * @param {Problem['user']} [user]
 */
export function errorPage(statusCode, user) {
  if (statusCode === 503) {
    const text = 'The sessions cannot be reached just now. You are not signed out.'
    return problemPage({ title: 'Please try again in a moment', text, user, link: 'Try again' })
  }
  if (statusCode === 429) {
    return problemPage({ title: 'Too many requests', text: 'Wait a minute, and try again.', user })
  }
  return problemPage({ title: 'That did not work', text: `The server answered ${statusCode}.`, user })
}

/** @param {Problem['user']} user */
export function unboundPage(user) {
  const text =
    'This browser has not bound your session to its device, and what you asked for is given to no other. Sign in with one that does, such as Chrome.'
  return problemPage({ title: 'Not from this browser', text, user, url: '/account', link: 'Go back' })
}

/** @param {Problem['user']} [user] */
export function notFoundPage(user) {
  return problemPage({ title: 'There is no such page', text: 'The address may be wrong, or old.', user })
}

/**
 * Who cancels at the provider has done nothing wrong, and goes back to where they were.
 *
 * @param {Problem['user']} user
 * @param {string} returnTo
 */
function cancelledPage(user, returnTo) {
  const text =
    user === null ? 'You are not signed in.' : 'Nothing has changed: you are signed in as you were before.'
  return problemPage({ title: 'You cancelled signing in', text, user, url: returnTo, link: 'Go back' })
}

/**
 * What the message of an error of the server's own says is for the log.
 *
 * @param {import('gosesh').GoseshError} error
 */
function textOf({ code, statusCode, message }) {
  if (statusCode < 500) return `${message}.`
  return code.startsWith('GOSESH_ERR_OAUTH_')
    ? 'The provider cannot be reached, or has a problem. Try again in a moment.'
    : 'The sessions cannot be reached just now. Try again in a moment.'
}

/**
 * What a route of gosesh/oauth shows that failed: a sign-in, a sign-out, a device's code.
 *
 * @param {import('gosesh').GoseshError} error
 * @param {{ user: import('../profiles.js').Profile | null, returnTo: string }} context
 */
export function signInErrorPage(error, { user, returnTo }) {
  const { code } = error
  const text = textOf(error)
  if (code === 'GOSESH_ERR_OAUTH_ACCESS_DENIED') return cancelledPage(user, returnTo)
  if (code === 'GOSESH_ERR_OAUTH_TOO_MANY_ATTEMPTS') {
    const again = { url: '/auth/device', link: 'Type the code again' }
    return problemPage({ title: 'The device is not connected', text, user, ...again, code })
  }
  if (code === 'GOSESH_ERR_OAUTH_REFUSED') {
    const again = { url: `/confirm?${new URLSearchParams({ next: returnTo })}`, link: 'Try again' }
    return problemPage({ title: 'That was another account', text, user, ...again, code })
  }
  const title = code.startsWith('GOSESH_ERR_OAUTH_') ? 'Signing in did not succeed' : 'That did not work'
  return problemPage({ title, text, user, code })
}
