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
 * @param {string} title
 * @param {string} text
 * @param {{ link?: string, code?: string }} [more] What the way back is called, and what to tell the support.
 */
function problemPage(title, text, { link = 'Back to the start', code } = {}) {
  return layout({
    title,
    main: html`<main id="main" class="narrow">
      <section class="card hero">
        <h1>${title}</h1>
        <p class="lead">${text}</p>
        <a class="button primary wide" href="/">${link}</a>
        ${code !== undefined && html`<p class="quiet"><code>${code}</code></p>`}
      </section>
    </main>`,
  })
}

/** @param {number} statusCode */
export function errorPage(statusCode) {
  if (statusCode === 503) {
    return problemPage(
      'Please try again in a moment',
      'The sessions cannot be reached just now. You are not signed out.',
      { link: 'Try again' },
    )
  }
  if (statusCode === 429) return problemPage('Too many requests', 'Wait a minute, and try again.')
  return problemPage('That did not work', `The server answered ${statusCode}.`)
}

export function notFoundPage() {
  return problemPage('There is no such page', 'The address may be wrong, or old.')
}

/** @param {import('gosesh').GoseshErrorCode} code */
function titleOf(code) {
  if (code === 'GOSESH_ERR_OAUTH_TOO_MANY_ATTEMPTS') return 'The device is not connected'
  return code.startsWith('GOSESH_ERR_OAUTH_') ? 'Signing in did not succeed' : 'That did not work'
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
 */
export function signInErrorPage(error) {
  return problemPage(titleOf(error.code), textOf(error), { code: error.code })
}
