// @ts-check
import { html } from './html.js'
import { layout } from './layout.js'

/**
 * @param {object} state
 * @param {import('../profiles.js').Profile} state.user
 * @param {string} state.typed
 * @param {string | null} state.problem What is wrong with what was typed.
 * @param {number} state.maxLength
 */
export function profilePage({ user, typed, problem, maxLength }) {
  const described = problem === null ? 'hint' : 'problem hint'
  return layout({
    title: 'Your name',
    user,
    page: 'profile',
    main: html`<main id="main" class="narrow">
      <section class="card">
        <h1>Your name</h1>
        <form class="stack" method="post" action="/profile">
          <label for="name">Name to show</label>
          ${problem !== null && html`<p class="problem" role="alert" id="problem">${problem}</p>`}
          <input id="name" name="name" value="${typed}" required maxlength="${maxLength}" autocomplete="name" aria-describedby="${described}"${problem !== null && html` aria-invalid="true"`}>
          <p class="quiet" id="hint">At most ${maxLength} characters. Your provider does not learn of it.</p>
          <div class="actions">
            <button class="primary">Save</button>
            <a class="button" href="/account">Cancel</a>
          </div>
        </form>
      </section>
    </main>`,
  })
}
