// @ts-check
import { html } from './html.js'
import { layout } from './layout.js'

/**
 * @param {object} state
 * @param {import('../profiles.js').Profile | null} state.user
 * @param {string} state.typed
 * @param {string | null} state.problem What is wrong with what was typed.
 * @param {number} state.maxLength
 * @param {boolean} state.isDraft It was typed before, and is not saved yet.
 */
export function notePage({ user, typed, problem, maxLength, isDraft }) {
  const described = problem === null ? 'hint' : 'problem hint'
  return layout({
    title: 'Your note',
    user,
    main: html`<main id="main" class="narrow">
      <section class="card">
        <h1>Your note</h1>
        ${isDraft && html`<p class="notice" role="status">You typed this before. It is not saved yet.</p>`}
        <form class="stack" method="post" action="/note">
          <label for="note">A note to yourself, for all of your devices</label>
          ${problem !== null && html`<p class="problem" role="alert" id="problem">${problem}</p>`}
          <input id="note" name="note" value="${typed}" maxlength="${maxLength}" autocomplete="off" aria-describedby="${described}"${problem !== null && html` aria-invalid="true"`}>
          <p class="quiet" id="hint">At most ${maxLength} characters. Empty: none.</p>
          <div class="actions">
            <button class="primary">${user === null ? 'Sign in and save' : 'Save'}</button>
            <a class="button" href="${user === null ? '/' : '/account'}">Cancel</a>
          </div>
        </form>
      </section>
    </main>`,
  })
}
