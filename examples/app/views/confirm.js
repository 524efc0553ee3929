// @ts-check
import { html } from './html.js'
import { layout } from './layout.js'
import { timeAgo } from './times.js'

/**
 * @param {object} state
 * @param {import('../profiles.js').Profile} state.user
 * @param {string} state.signInUrl
 * @param {Date} state.signedInAt
 * @param {number} state.recentSignIn Milliseconds.
 * @param {Date} state.now
 */
export function confirmPage({ user, signInUrl, signedInAt, recentSignIn, now }) {
  const minutes = Math.max(1, Math.round(recentSignIn / 60_000))
  return layout({
    title: 'Confirm that it is you',
    user,
    page: 'profile',
    main: html`<main id="main" class="narrow">
      <section class="card">
        <h1>Confirm that it is you</h1>
        <p>You signed in ${timeAgo(signedInAt, now)}. Changing your name wants a sign-in of the last
          ${minutes === 1 ? 'minute' : `${minutes} minutes`}, so that nobody does it on a device that you left open.</p>
        <div class="actions">
          <a class="button primary" href="${signInUrl}">Sign in again</a>
          <a class="button" href="/account">Cancel</a>
        </div>
      </section>
    </main>`,
  })
}
