// @ts-check
import { html } from './html.js'
import { formatAgo, formatDuration } from './public/format.js'
import { users } from './users.js'

/** @typedef {import('./html.js').Html} Html */
/** @typedef {import('./session-view.js').SessionView} SessionView */
/** @typedef {import('./session-view.js').ActivityView} ActivityView */

/**
 * @param {{ title: string, header?: Html, script?: boolean, body: Html }} page
 */
function layout({ title, header, script = false, body }) {
  return html`<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>${title} · gosesh demo</title>
    <link rel="icon" href="/public/icon.svg" type="image/svg+xml">
    <link rel="stylesheet" href="/public/style.css">
    ${script && html`<script type="module" src="/public/session.js"></script>`}
  </head>
  <body>
    <header class="bar">
      <a class="brand" href="/"><img src="/public/icon.svg" alt="" width="28" height="28">gosesh demo</a>
      ${header}
    </header>
    ${body}
  </body>
</html>
`
}

/** @param {{ ended: boolean }} state */
export function signInPage({ ended }) {
  return layout({
    title: 'Sign in',
    body: html`<main class="narrow">
      <section class="card">
        ${ended && html`<p class="notice" role="status">Your session has ended.</p>`}
        <h1>Sign in</h1>
        <p>Choose who to be. This demo asks for no password.</p>
        <form class="stack" method="post" action="/sign-in">
          ${users.map(({ id, name }) => html`<button class="primary" name="user" value="${id}">${name}</button>`)}
        </form>
        <p class="quiet">Sign in from a second browser or a private window, too, and see both in the list.</p>
      </section>
    </main>`,
  })
}

/** @param {Date} date */
function utc(date) {
  return date
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z$/, ' UTC')
}

/**
 * @param {string} field
 * @param {Date} date
 */
function timeOf(field, date) {
  return html`<time data-field="${field}" datetime="${date.toISOString()}">${utc(date)}</time>`
}

/**
 * A deadline with the time that is left until it.
 *
 * @param {{ title: string, field: 'idleDeadline' | 'absoluteDeadline', date: Date | null, now: Date, note: string }} deadline
 */
function deadlineTile({ title, field, date, now, note }) {
  if (date === null) return html`<div class="tile"><dt>${title}</dt><dd><strong>no limit</strong></dd></div>`
  return html`<div class="tile">
    <dt>${title}</dt>
    <dd>
      <strong><span role="timer" data-field="${field}" data-until="${date.toISOString()}">${formatDuration(date.getTime() - now.getTime())}</span> left</strong>
      <span>${timeOf(field, date)}</span>
      <span class="quiet">${note}</span>
    </dd>
  </div>`
}

/**
 * @param {SessionView} current
 * @param {string} userName
 * @param {Date} now
 */
function currentSection(current, userName, now) {
  const { createdAt, lastActivityAt, idleDeadline, absoluteDeadline } = current
  return html`<section class="card" aria-labelledby="session">
    <div class="title">
      <h2 id="session">This session</h2>
      <a class="button" href="/">Refresh</a>
    </div>
    <dl class="tiles">
      <div class="tile">
        <dt>Last activity</dt>
        <dd>
          <strong data-field="lastActivityAt" data-since="${lastActivityAt.toISOString()}">${formatAgo(now.getTime() - lastActivityAt.getTime())}</strong>
          <span>${timeOf('lastActivityAt', lastActivityAt)}</span>
          <span class="quiet">Refresh moves it.</span>
        </dd>
      </div>
      ${deadlineTile({ title: 'Idle deadline', field: 'idleDeadline', date: idleDeadline, now, note: '5 minutes after the last activity.' })}
      ${deadlineTile({ title: 'Absolute deadline', field: 'absoluteDeadline', date: absoluteDeadline, now, note: 'A day after sign-in; nothing moves it.' })}
    </dl>
    <dl class="facts">
      <div><dt>User</dt><dd>${userName}</dd></div>
      <div><dt>Signed in</dt><dd>${timeOf('createdAt', createdAt)}</dd></div>
      <div><dt>Session id</dt><dd><code>${current.id}</code></dd></div>
    </dl>
  </section>`
}

/** @param {ActivityView} activity */
function activitySection({ recorded, pending, flushed }) {
  return html`<section class="card" aria-labelledby="activity">
    <h2 id="activity">Activity, of all users</h2>
    <dl class="tiles counts">
      <div class="tile"><dt>Requests recorded</dt><dd><strong data-count="recorded">${recorded}</strong></dd></div>
      <div class="tile"><dt>Sessions waiting</dt><dd><strong data-count="pending">${pending}</strong></dd></div>
      <div class="tile"><dt>Sessions written</dt><dd><strong data-count="flushed">${flushed}</strong></dd></div>
    </dl>
    <p class="quiet">
      A request writes nothing to the store. Activity waits in memory and is written every 2 seconds, once a session:
      refresh quickly a few times, and many requests become one write. These numbers update by themselves; looking at
      them is no activity, so the idle deadline still comes nearer.
    </p>
  </section>`
}

/**
 * @param {SessionView} session
 * @param {Date} now
 */
function sessionItem(session, now) {
  const action = session.current ? '/sign-out' : `/sessions/${session.id}/sign-out`
  // Only the row of this session follows what the page polls.
  const field = session.current ? html`data-field="lastActivityAt" ` : null
  return html`<li>
    <div>
      <p class="client">${session.client} ${session.current && html`<span class="badge">This device</span>`}</p>
      <p class="quiet">
        Active <span ${field}data-since="${session.lastActivityAt.toISOString()}">${formatAgo(now.getTime() - session.lastActivityAt.getTime())}</span>
        <span class="since">Signed in <time datetime="${session.createdAt.toISOString()}">${utc(session.createdAt)}</time></span>
      </p>
    </div>
    <form method="post" action="${action}">
      <button>Sign out<span class="unseen"> ${session.current ? 'this device' : session.client}</span></button>
    </form>
  </li>`
}

/**
 * @param {SessionView[]} sessions
 * @param {Date} now
 */
function listSection(sessions, now) {
  return html`<section class="card" aria-labelledby="sessions">
    <div class="title">
      <h2 id="sessions">Where you are signed in</h2>
      <form method="post" action="/sign-out-everywhere-else">
        <button${sessions.length < 2 && html` disabled`}>Sign out everywhere else</button>
      </form>
    </div>
    <ul class="sessions">
      ${sessions.map((session) => sessionItem(session, now))}
    </ul>
  </section>`
}

/**
 * @param {{ userName: string, now: Date, current: SessionView, sessions: SessionView[], activity: ActivityView }} state
 */
export function sessionPage({ userName, now, current, sessions, activity }) {
  return layout({
    title: 'Your session',
    script: true,
    header: html`<form method="post" action="/sign-out"><button>Sign out</button></form>`,
    body: html`<main data-now="${now.toISOString()}">
      <h1>Hello, ${userName}</h1>
      ${currentSection(current, userName, now)}
      ${activitySection(activity)}
      ${listSection(sessions, now)}
    </main>`,
  })
}

/** @param {number} statusCode */
export function errorPage(statusCode) {
  const outage = statusCode === 503
  return layout({
    title: 'Error',
    body: html`<main class="narrow">
      <section class="card">
        <h1>${outage ? 'Please try again in a moment' : 'That did not work'}</h1>
        <p>${outage ? 'The sessions cannot be reached just now. You are not signed out.' : `The server answered ${statusCode}.`}</p>
        <p><a href="/">Back to the start</a></p>
      </section>
    </main>`,
  })
}
