// @ts-check
import { distinctNames } from '../devices.js'
import { maxNameLength } from '../names.js'
import { html } from './html.js'
import { deviceIcon } from './icons.js'
import { layout } from './layout.js'
import { messageList } from './messages.js'
import { timeAgo, timeOf } from './times.js'

/** @typedef {import('../session-view.js').SessionView} SessionView */
/** @typedef {import('../profiles.js').Profile} Profile */

/** Who ended it, as far as the server has told the script; without that, the first. */
const endings = /** @type {const} */ ([
  { by: 'unknown', text: 'Your session has ended: by its time, or because it was signed out.' },
  { by: 'here', text: 'You signed out in another tab or window of this browser.' },
  { by: 'elsewhere', text: 'This device was signed out from another one.' },
  { by: 'provider', text: 'The provider that you sign in with has ended your session.' },
  { by: 'expired', text: 'Your session has ended by its time.' },
])

/** What the script shows in place of the page once its session has ended. */
const endedTemplate = html`<template id="ended">
      <section class="card hero">
        <h1 tabindex="-1">You are signed out</h1>
        ${endings.map(({ by, text }) => html`<p class="lead" data-by="${by}">${text}</p>`)}
        <a class="button primary wide" href="/">Sign in again</a>
      </section>
    </template>`

/**
 * @param {SessionView} session
 * @param {string} name As it is on the page.
 */
function renameForm({ id, device: { name: given }, model }, name) {
  return html`<details>
            <summary>Rename<span class="unseen"> ${name}</span></summary>
            <form class="stack" method="post" action="/sessions/${id}/name">
              <label for="name-${id}">Name of the device</label>
              <input id="name-${id}" name="name" value="${given !== model && given}" maxlength="${maxNameLength}" autocomplete="off" aria-describedby="hint-${id}">
              <p class="quiet" id="hint-${id}">Empty: ${model}.</p>
              <button>Save</button>
            </form>
          </details>`
}

/** Ways of proving who one is that this application knows, by their names in RFC 8176. */
const methods = new Map([
  ['pwd', 'password'],
  ['otp', 'code'],
])

/** @param {SessionView} session */
function confirmation({ authenticatedAt, confirmedBy }) {
  const by = confirmedBy.flatMap((method) => methods.get(method) ?? [])
  return html`Confirmed ${timeOf(authenticatedAt)}${by.length > 0 && ` by ${by.join(' and ')}`}`
}

/**
 * @param {SessionView} session
 * @param {string} name
 * @param {Date} now
 */
function deviceItem(session, name, now) {
  const { id, current, device, model, createdAt, lastActivityAt } = session
  return html`<li${current && html` class="current"`}>
          ${deviceIcon(device.kind)}
          <div>
            <p class="device">${name}${current && html` <span class="badge">This device</span>`}</p>
            ${device.name !== model && html`<p class="quiet">${model}</p>`}
            <p class="quiet">Active ${timeAgo(lastActivityAt, now)}</p>
            <p class="quiet">Signed in ${timeOf(createdAt)}</p>
            <p class="quiet">${confirmation(session)}</p>
            ${session.deviceBound && html`<p class="quiet">Bound to this device’s key</p>`}
            ${renameForm(session, name)}
          </div>
          <form method="post" action="/sessions/${id}/sign-out">
            <button>${current ? 'Sign out here' : html`Sign out<span class="unseen"> ${name}</span>`}</button>
          </form>
        </li>`
}

/** @param {number} others */
function allButtons(others) {
  return html`<div class="actions">
        ${
          others === 0
            ? html`<button disabled>Sign out all others</button>`
            : html`<a class="button primary" href="/sign-out-others">Sign out all others</a>`
        }
        <a class="button danger" href="/sign-out-everywhere">Sign out everywhere</a>
      </div>`
}

/** @param {string} note */
function noteLine(note) {
  if (note === '') return html`<p class="quiet"><a href="/note">Write a note to yourself</a></p>`
  return html`<p class="note">${note} <a href="/note">Change<span class="unseen"> the note</span></a></p>`
}

/**
 * @param {object} state
 * @param {Profile} state.user
 * @param {SessionView[]} state.sessions
 * @param {readonly string[]} state.messages
 * @param {string} state.note Empty: none.
 * @param {string} state.cliCommand
 * @param {boolean} state.canExport
 * @param {Date} state.now
 */
export function accountPage({ user, sessions, messages, note, cliCommand, canExport, now }) {
  const names = distinctNames(sessions)
  const others = sessions.filter(({ current }) => !current).length
  return layout({
    title: 'Your devices',
    user,
    page: 'account',
    head: html`<script type="module" src="/public/live.js"></script>`,
    main: html`<main id="main">
      ${messageList(messages)}
      <div>
        <h1>Your devices</h1>
        <p class="lead">Signed in as <strong>${user.name}</strong>${user.email !== null && html` (${user.email})`}</p>
        ${noteLine(note)}
        ${canExport && html`<p class="quiet"><a href="/export" download>Download what is known of you</a></p>`}
      </div>
      <section class="card" aria-labelledby="devices">
        <h2 id="devices">${others === 0 ? 'Signed in on this device only' : `Signed in on ${others + 1} devices`}</h2>
        <ul class="devices">
        ${sessions.map((session) => deviceItem(session, names.get(session.id) ?? '', now))}
        </ul>
        ${allButtons(others)}
      </section>
      <section class="card" aria-labelledby="more">
        <h2 id="more">Add another device</h2>
        <p>Sign in from a second browser or a private window, or from a terminal:</p>
        <pre><code>${cliCommand}</code></pre>
        <p>It shows a code, which you type on the page <a href="/auth/device">Connect a device</a>.</p>
      </section>
      <section class="card" aria-labelledby="provider">
        <h2 id="provider">At the provider, too</h2>
        <p>This ends the session here, and then asks the provider to end its own.</p>
        <form method="post" action="/auth/sign-out?provider"><button>Sign out here and at the provider</button></form>
      </section>
    </main>
    ${endedTemplate}`,
  })
}
