// @ts-check
import { formatAgo, formatDuration } from './format.js'

const pollInterval = 2_000

const main = /** @type {HTMLElement} */ (document.querySelector('[data-now]'))
/** The server's clock counts, not the one of this device. */
let clockOffset = Date.parse(main.dataset.now ?? '') - Date.now()

/**
 * @param {string} selector
 * @param {(element: HTMLElement) => string} text
 */
function fill(selector, text) {
  for (const element of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(selector))) {
    const next = text(element)
    if (element.textContent !== next) element.textContent = next
  }
}

/** @param {string | undefined} iso */
function time(iso) {
  return Date.parse(iso ?? '')
}

function tick() {
  const now = Date.now() + clockOffset
  fill('[data-until]', ({ dataset }) => formatDuration(time(dataset.until) - now))
  fill('[data-since]', ({ dataset }) => formatAgo(now - time(dataset.since)))
}

/** Times of day in the visitor's own time zone; the server wrote UTC. */
function showLocalTimes() {
  const format = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' })
  fill('time', (element) => format.format(time(/** @type {HTMLTimeElement} */ (element).dateTime)))
}

/**
 * Everything that shows a value of the session names it: `data-field` its element, `data-since` and `data-until` a
 * count from or to it.
 *
 * @param {Record<string, string>} session
 */
function showSession(session) {
  for (const element of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll('[data-field]'))) {
    const value = session[element.dataset.field ?? '']
    if (typeof value !== 'string') continue
    if (element instanceof HTMLTimeElement) element.dateTime = value
    if (element.dataset.since !== undefined) element.dataset.since = value
    if (element.dataset.until !== undefined) element.dataset.until = value
  }
}

/** @param {Record<string, number>} activity */
function showActivity(activity) {
  fill('[data-count]', ({ dataset }) => String(activity[dataset.count ?? '']))
}

/** Only a 401 means that the session is over; a server that does not answer is asked again. */
async function poll() {
  if (document.hidden) return
  const response = await fetch('/api/watch').catch(() => null)
  if (response?.status === 401) location.replace('/sign-in?ended')
  if (!response?.ok) return
  const { now, session, activity } = await response.json()
  clockOffset = time(now) - Date.now()
  showSession(session)
  showActivity(activity)
  showLocalTimes()
  tick()
}

showLocalTimes()
tick()
setInterval(tick, 1_000)
setInterval(poll, pollInterval)
document.addEventListener('visibilitychange', poll)
