// @ts-check
import { html } from './html.js'
import { layout } from './layout.js'
import { timeOf } from './times.js'

/** @typedef {import('../profiles.js').Profile} Profile */

/**
 * The field for a code, with what is wrong with the last one.
 *
 * @param {string | null} problem
 */
function codeField(problem) {
  return html`<label for="code">Code of six digits</label>
          ${problem !== null && html`<p class="problem" role="alert" id="problem">${problem}</p>`}
          <input id="code" name="code" required inputmode="numeric" pattern="[0-9 ]{6,7}" maxlength="7" autocomplete="one-time-code"${problem !== null && html` aria-invalid="true" aria-describedby="problem"`}>`
}

/** @param {{ user: Profile, secret: string, uri: string, problem: string | null }} state */
export function setUpPage({ user, secret, uri, problem }) {
  return layout({
    title: 'Set up a second factor',
    user,
    page: 'security',
    main: html`<main id="main" class="narrow">
      <section class="card">
        <h1>Set up a second factor</h1>
        <p>With it, this application asks for a code of your authenticator where a password is not enough, such as on the
          page “Security”. Give the secret to an authenticator, then type the code that it shows.</p>
        <h2 id="secret">The secret</h2>
        <pre aria-labelledby="secret"><code>${secret.match(/.{1,4}/g)?.join(' ')}</code></pre>
        <h2 id="uri">The same as an address</h2>
        <pre aria-labelledby="uri"><code>${uri}</code></pre>
        <form class="stack" method="post" action="/security/set-up">
          ${codeField(problem)}
          <div class="actions">
            <button class="primary">Turn it on</button>
            <a class="button" href="/account">Cancel</a>
          </div>
        </form>
        <p class="quiet">Nobody sees the secret here again.</p>
      </section>
    </main>`,
  })
}

/** @param {{ user: Profile, next: string, problem: string | null }} state */
export function codePage({ user, next, problem }) {
  return layout({
    title: 'Type a code',
    user,
    main: html`<main id="main" class="narrow">
      <section class="card">
        <h1>Type a code</h1>
        <p>The page that you asked for wants the code that your authenticator shows, beside your password. You stay signed
          in.</p>
        <form class="stack" method="post" action="/security/code">
          <input type="hidden" name="next" value="${next}">
          ${codeField(problem)}
          <div class="actions">
            <button class="primary">Go on</button>
            <a class="button" href="/account">Cancel</a>
          </div>
        </form>
      </section>
    </main>`,
  })
}

/** @param {{ user: Profile, enabledAt: Date }} state */
export function securityPage({ user, enabledAt }) {
  return layout({
    title: 'Security',
    user,
    page: 'security',
    main: html`<main id="main" class="narrow">
      <section class="card">
        <h1>Security</h1>
        <p>Your second factor is on since ${timeOf(enabledAt)}. This page wants its code once in each session.</p>
        <form method="post" action="/security"><button class="danger">Turn it off</button></form>
      </section>
    </main>`,
  })
}
