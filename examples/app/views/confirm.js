// @ts-check
import { html } from './html.js'
import { layout } from './layout.js'
import { timeAgo } from './times.js'

/**
 * @param {object} state
 * @param {import('../profiles.js').Profile} state.user
 * @param {string} state.purpose What wants it, for the beginning of a sentence.
 * @param {string} state.confirmUrl
 * @param {string} state.providerLabel
 * @param {Date} state.authenticatedAt
 * @param {number} state.recentSignIn Milliseconds.
 * @param {Date} state.now
 */
export function confirmPage({
  user,
  purpose,
  confirmUrl,
  providerLabel,
  authenticatedAt,
  recentSignIn,
  now,
}) {
  const minutes = Math.max(1, Math.round(recentSignIn / 60_000))
  return layout({
    title: 'Confirm that it is you',
    user,
    main: html`<main id="main" class="narrow">
      <section class="card">
        <h1>Confirm that it is you</h1>
        <p>You last showed who you are ${timeAgo(authenticatedAt, now)}. ${purpose} wants that within the last
          ${minutes === 1 ? 'minute' : `${minutes} minutes`}, so that nobody does it on a device that you left open.</p>
        <p>${providerLabel} asks for your password again, and sends you back here. You stay signed in.</p>
        <div class="actions">
          <a class="button primary" href="${confirmUrl}">Confirm with ${providerLabel}</a>
          <a class="button" href="/account">Cancel</a>
        </div>
      </section>
    </main>`,
  })
}
