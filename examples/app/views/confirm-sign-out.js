// @ts-check
import { html } from './html.js'
import { layout } from './layout.js'

/** @typedef {{ user: import('../profiles.js').Profile, count: number }} State `count`: sessions, this one among them. */

/** @param {number} count */
function devices(count) {
  return count === 1 ? 'one device' : `${count} devices`
}

/**
 * @param {import('../profiles.js').Profile} user
 * @param {{ name: string, action: string, text: string }} question `name` is that of the button that led here.
 */
function confirmPage(user, { name, action, text }) {
  return layout({
    title: `${name}?`,
    user,
    page: 'account',
    main: html`<main id="main" class="narrow">
      <section class="card">
        <h1>${name}?</h1>
        <p>${text}</p>
        <form class="actions" method="post" action="${action}">
          <button class="danger">${name}</button>
          <a class="button" href="/account">Cancel</a>
        </form>
      </section>
    </main>`,
  })
}

/** @param {State} state */
export function confirmOthersPage({ user, count }) {
  const text =
    count === 1
      ? 'You are signed in on this device only: there is no other one to sign out.'
      : `This signs out ${devices(count - 1)}. You stay signed in here.`
  return confirmPage(user, { name: 'Sign out all others', action: '/sign-out-others', text })
}

/** @param {State} state */
export function confirmAllPage({ user, count }) {
  const text =
    count === 1
      ? 'This signs out this device, the only one that you are signed in on.'
      : `This signs out ${devices(count)}, this one among them.`
  return confirmPage(user, { name: 'Sign out everywhere', action: '/sign-out-everywhere', text })
}
