// @ts-check

/** The server closes with it once the session has ended. */
const sessionEnded = 4401
const firstDelay = 1_000
const longestDelay = 30_000

const main = /** @type {HTMLElement} */ (document.querySelector('main'))
const ended = /** @type {HTMLTemplateElement} */ (document.querySelector('#ended'))
let delay = firstDelay
/** @type {string | null} */
let userId = null

/** @param {string} by Who ended it, as the server said with the close of the socket; empty: it did not. */
function showEnded(by) {
  main.replaceChildren(ended.content.cloneNode(true))
  main.classList.add('narrow')
  const texts = /** @type {HTMLElement[]} */ ([...main.querySelectorAll('[data-by]')])
  const shown = texts.find(({ dataset }) => dataset.by === by) ?? texts[0]
  for (const text of texts) if (text !== shown) text.remove()
  for (const part of document.querySelectorAll('header nav, header .account, header form')) part.remove()
  const heading = /** @type {HTMLElement} */ (main.querySelector('h1'))
  document.title = `${heading.textContent} · gosesh example`
  // What was under the focus is gone, and a screen reader is to say what came instead.
  heading.focus()
}

/**
 * Only a 401 means signed out. Any other failure is an outage, and the page stays as it is. It is asked twice: another tab
 * that confirms who is there gives the session a new token, and the old one, with which a request may be under way, is no
 * good any more.
 */
async function whoIsThere() {
  const ask = () => fetch('/api/session').catch(() => null)
  const first = await ask()
  const response = first?.status === 401 ? await ask() : first
  if (response?.status === 401) return { signedOut: true, userId: null }
  const body = response?.ok ? await response.json() : null
  return { signedOut: false, userId: body?.userId ?? null }
}

/** This browser may have signed in anew in another tab: the session is another one then, and so may be the user. */
async function lookAgain(by = '') {
  const now = await whoIsThere()
  if (now.signedOut) return showEnded(by)
  if (now.userId !== null && userId !== null && now.userId !== userId) return location.reload()
  userId ??= now.userId
  connect()
}

function connect() {
  const socket = new WebSocket(`${location.origin.replace(/^http/, 'ws')}/socket`)
  socket.addEventListener('open', () => {
    delay = firstDelay
    main.dataset.live = 'yes'
  })
  socket.addEventListener('close', ({ code, reason }) => {
    delete main.dataset.live
    if (code === sessionEnded) return lookAgain(reason)
    setTimeout(lookAgain, delay)
    delay = Math.min(delay * 2, longestDelay)
  })
}

/** Times of day in the visitor's own zone; the server wrote UTC. */
function showLocalTimes() {
  const format = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' })
  for (const element of document.querySelectorAll('time')) {
    const text = format.format(new Date(element.dateTime))
    if (element.title === '') element.textContent = text
    else element.title = text
  }
}

showLocalTimes()
lookAgain()
