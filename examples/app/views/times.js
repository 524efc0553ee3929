// @ts-check
import { html } from './html.js'

const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto' })
const absolute = new Intl.DateTimeFormat('en-GB', {
  dateStyle: 'medium',
  timeStyle: 'short',
  timeZone: 'UTC',
})

const units = /** @type {const} */ ([
  { unit: 'day', ms: 86_400_000 },
  { unit: 'hour', ms: 3_600_000 },
  { unit: 'minute', ms: 60_000 },
])

/**
 * How long ago, such as `3 minutes ago`.
 *
 * @param {Date} date
 * @param {Date} now
 */
function ago(date, now) {
  const passed = now.getTime() - date.getTime()
  const found = units.find(({ ms }) => passed >= ms)
  return found === undefined ? 'just now' : relative.format(-Math.floor(passed / found.ms), found.unit)
}

/**
 * `3 minutes ago`, with the exact time for programs and on hover.
 *
 * @param {Date} date
 * @param {Date} now
 */
export function timeAgo(date, now) {
  return html`<time datetime="${date.toISOString()}" title="${absolute.format(date)} UTC">${ago(date, now)}</time>`
}

/** @param {Date} date */
export function timeOf(date) {
  return html`<time datetime="${date.toISOString()}">${absolute.format(date)} UTC</time>`
}
