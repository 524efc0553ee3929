// @ts-check
import { html } from './html.js'
import { layout } from './layout.js'
import { messageList } from './messages.js'

/**
 * @param {object} state
 * @param {{ url: string, label: string }} state.signIn
 * @param {boolean} state.goesOn Whether a page was asked for that needs a session.
 * @param {readonly string[]} state.messages
 */
export function homePage({ signIn, goesOn, messages }) {
  return layout({
    title: 'Sign in',
    main: html`<main id="main" class="narrow">
      ${messageList(messages)}
      <section class="card hero">
        <img src="/public/icon.svg" alt="" width="56" height="56">
        <h1>${goesOn ? 'Sign in to go on' : 'See where you are signed in'}</h1>
        <p class="lead">Every device on one page, with the time it was last used. Sign out any of them from here, and
          it is signed out at once.</p>
        <a class="button primary wide" href="${signIn.url}">Sign in</a>
        <p class="quiet">You sign in with ${signIn.label}. You may <a href="/note">write a note</a> first.</p>
      </section>
    </main>`,
  })
}
