import { createHash } from 'node:crypto'
import t, { type Test } from 'tap'
import { MemoryStore } from '../../../lib/index.js'
import { defaultTexts, type OAuthOptions } from '../../../lib/oauth/index.js'
import { html } from '../../../lib/oauth/pages/html.js'
import { callbackFor, errorOf, scene, sessionIn, signInAt } from './app.js'
import { Browser, locationOf } from './browser.js'

const grant_type = 'urn:ietf:params:oauth:grant-type:device_code'
const form = { 'content-type': 'application/x-www-form-urlencoded' }

/** A signed-in browser, and a device whose code waits. */
async function waitingDevice(
  t: Test,
  device: Exclude<OAuthOptions['deviceAuthorization'], boolean | undefined> = {},
  options: Partial<OAuthOptions> = {},
) {
  const clock = { offset: 0, now: () => Date.now() + clock.offset }
  const store = new MemoryStore()
  const more = { sessions: { store, clock } }
  const { app, origin, browser, button } = await scene(
    t,
    { deviceAuthorization: device, clock, ...options },
    more,
  )
  await signInAt(browser, button)
  const page = `${origin}/auth/device`
  const started = await fetch(`${page}/code`, { method: 'POST', headers: form, body: 'client_id=cli' })
  const { device_code, user_code } = (await started.json()) as { device_code: string; user_code: string }
  const post = async (fields: Record<string, string>, by = browser) =>
    await (await by.post(page, fields)).text()
  const poll = async () => {
    clock.offset += 5_000
    const body = new URLSearchParams({ grant_type, device_code })
    return (await (await fetch(`${page}/token`, { method: 'POST', body })).json()) as Record<string, string>
  }
  const allow = async () => {
    const allowed = await post({ user_code, decision: 'allow' })
    const [, id = ''] = /name="device" value="([^"]*)"/.exec(allowed) ?? []
    return { allowed, id }
  }
  return { app, origin, browser, button, clock, store, page, user_code, post, poll, allow }
}

t.test('a template escapes what goes in, but for markup', async (t) => {
  t.equal(
    String(html`<p title="${`"'`}">${'<&>'}${html`<b>${'<'}</b>`}</p>`),
    '<p title="&quot;&#39;">&lt;&amp;&gt;<b>&lt;</b></p>',
  )
})

t.test('the stylesheet of a page is the only thing that its policy permits', async (t) => {
  const { page, browser } = await waitingDevice(t)
  const response = await browser.get(page)
  const [, style = ''] = /<style>([\s\S]*)<\/style>/.exec(await response.text()) ?? []
  t.match(style, 'prefers-color-scheme: dark')
  const hash = createHash('sha256').update(style).digest('base64')
  t.equal(
    response.headers.get('content-security-policy'),
    `default-src 'none'; style-src 'sha256-${hash}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'`,
  )
})

t.test('consent says which account, code, time and place, and prefers neither answer', async (t) => {
  const { app, origin, browser, clock, page, user_code, post } = await waitingDevice(t)
  const session = await sessionIn(browser, origin)
  clock.offset += 2 * 60_000
  const asked = await post({ user_code })
  t.match(asked, `<p class="code">${user_code}</p>`)
  t.match(asked, `<dt>Account</dt><dd>${session?.userId}</dd>`)
  t.match(asked, '<dt>Requested</dt><dd>2 minutes ago</dd>')
  t.match(asked, '<dt>From</dt><dd>127.0.0.1, as this browser</dd>')
  const [buttons = ''] = /<p class="actions">.*<\/p>/.exec(asked) ?? []
  t.equal(
    buttons,
    '<p class="actions"><button name="decision" value="deny">Deny</button> <button name="decision" value="allow">Allow</button></p>',
  )
  t.notMatch(asked, 'autofocus')
  t.match(await (await browser.get(page)).text(), /<input id="user_code"[^>]* autofocus/)

  const elsewhere = await app.inject({
    method: 'POST',
    url: '/auth/device/code',
    remoteAddress: '::ffff:192.0.2.7',
  })
  clock.offset -= 1_000
  const other = await post({ user_code: elsewhere.json().user_code })
  t.match(other, '<dt>From</dt><dd>192.0.2.7; this browser: 127.0.0.1</dd>')
  t.match(other, '<dt>Requested</dt><dd>now</dd>', 'a clock of another node may be behind')
})

t.test('the application says what account and place are called', async (t) => {
  const places: (string | null)[] = [`Porto\n${'<b>'.repeat(50)}`, ' ', null]
  const { user_code, post, page } = await waitingDevice(t, {
    account: async ({ session }) => `<${session?.metadata?.oidc_sub}>`,
    place: () => places.shift() ?? null,
  })
  const asked = await post({ user_code })
  t.match(asked, '<dt>Account</dt><dd>&lt;ada&gt;</dd>')
  t.match(asked, '<dt>From</dt><dd>Porto &lt;b&gt;')
  t.notMatch(asked, 'this browser', 'it is not known where that is')
  const [, shown = ''] = /<dt>From<\/dt><dd>(.*?)<\/dd>/.exec(asked) ?? []
  t.equal(shown.replace(/&..;/g, '-').length, 100)
  const started = await fetch(`${page}/code`, { method: 'POST' })
  const { user_code: unknown } = (await started.json()) as { user_code: string }
  t.notMatch(await post({ user_code: unknown }), '<dt>From</dt>')
})

t.test('what was allowed is taken back before the device has asked', async (t) => {
  const { app, origin, browser, allow, post, poll } = await waitingDevice(t, { devicesPage: '/devices' })
  const { allowed, id } = await allow()
  t.match(allowed, '<h1>You allowed the device</h1>')
  t.match(allowed, '<a href="/devices">Your devices</a>')
  t.notMatch(allowed, 'connected', 'it is not yet')
  const undone = await post({ decision: 'undo', device: id })
  t.match(undone, '<h1>The device is not signed in</h1>')
  t.match(undone, '<a href="/devices">Your devices</a>')
  t.same(await poll(), { error: 'invalid_grant' })
  const session = await sessionIn(browser, origin)
  t.equal((await app.gosesh.listUserSessions(String(session?.userId))).length, 1)
})

t.test('what was allowed is taken back after the device has signed in, by its user alone', async (t) => {
  const { app, button, allow, post, poll, store } = await waitingDevice(t)
  const { allowed, id } = await allow()
  t.notMatch(allowed, '<a ', 'no page of devices is known')
  const bo = new Browser()
  await signInAt(bo, button, 'bo')
  const notUndone = '<h1>This cannot be undone here</h1>'
  t.match(await post({ decision: 'undo', device: id }, bo), notUndone)
  const { access_token: token = '' } = await poll()
  const session = await app.gosesh.verifyToken(token)
  t.same(session?.metadata, { device_client: 'cli', device_code: id }, 'not where the device is')
  t.match(await post({ decision: 'undo', device: id }, bo), notUndone)
  for (const device of ['', 'x', id.replace(/./, (first) => (first === 'A' ? 'B' : 'A'))]) {
    t.match(await post({ decision: 'undo', device }), notUndone)
  }
  t.not(await app.gosesh.verifyToken(token), null)

  const { listUserSessions } = store
  Object.assign(store, { listUserSessions: undefined })
  t.match(await post({ decision: 'undo', device: id }), notUndone, 'a store that lists nothing')
  Object.assign(store, { listUserSessions })
  t.match(await post({ decision: 'undo', device: id }), '<h1>The device is not signed in</h1>')
  t.equal(await app.gosesh.verifyToken(token), null)
})

t.test('a device that signs in while it is taken back is signed out', async (t) => {
  const { app, allow, post, poll, store } = await waitingDevice(t)
  const { id } = await allow()
  const { consumeDeviceCode } = store.deviceCodes
  let token = ''
  store.deviceCodes.consumeDeviceCode = async (code) => {
    store.deviceCodes.consumeDeviceCode = consumeDeviceCode
    token = (await poll()).access_token ?? ''
    return await store.deviceCodes.consumeDeviceCode(code)
  }
  t.match(await post({ decision: 'undo', device: id }), '<h1>The device is not signed in</h1>')
  t.match(token, /./)
  t.equal(await app.gosesh.verifyToken(token), null)
})

t.test('of two decisions at once the first stands', async (t) => {
  const { browser, page, user_code, poll, store } = await waitingDevice(t)
  const { decideDeviceCode, consumeDeviceCode } = store.deviceCodes
  store.deviceCodes.decideDeviceCode = async () => false
  for (const decision of ['allow', 'deny']) {
    t.equal((await browser.post(page, { user_code, decision })).status, 400, decision)
  }
  store.deviceCodes.decideDeviceCode = decideDeviceCode
  await browser.post(page, { user_code, decision: 'allow' })
  store.deviceCodes.consumeDeviceCode = async (id) => {
    const code = await consumeDeviceCode.call(store.deviceCodes, id)
    return code && { ...code, metadata: null }
  }
  t.match((await poll()).access_token, /./, 'of a store that kept no metadata')
})

t.test('pages in another language', async (t) => {
  const texts = {
    language: 'de',
    allow: 'Erlauben <&>',
    consentClient: '„{client}“ möchte hinein',
    deny: undefined,
    errors: { GOSESH_ERR_OAUTH_USER_CODE: 'Falscher Code', GOSESH_ERR_OAUTH_TRANSACTION: undefined },
  }
  const { origin, browser, user_code, post, clock } = await waitingDevice(t, {}, { texts })
  clock.offset += 60_000
  const asked = await post({ user_code })
  t.match(asked, '<html lang="de">')
  t.match(asked, '<p>„cli“ möchte hinein</p>')
  t.match(asked, 'Erlauben &lt;&amp;&gt;</button>')
  t.match(asked, `>${defaultTexts.deny}</button>`)
  t.match(asked, 'vor 1 Minute')
  t.match(await post({ user_code: 'BBBB-BBBB' }), '<p role="alert" id="problem">Falscher Code</p>')
  const failed = await browser.get(`${origin}/auth/acme/callback`)
  t.match(await failed.text(), 'was begun in another browser', 'what has no text of its own')
})

t.test(
  'cancelling at the provider is no failure, and leads back to the page that was asked for',
  async (t) => {
    const { origin, browser, button } = await scene(t)
    const cancelled = await browser.get(await callbackFor(browser, `${button}?next=/inbox`, null))
    t.equal(cancelled.status, 403)
    const page = await cancelled.text()
    t.match(page, '<h1>Signing in was cancelled</h1>')
    t.notMatch(page, 'GOSESH_ERR')
    t.match(page, `<a href="${origin}/inbox">Go back</a>`)
    const forged = await browser.get(await callbackFor(browser, `${button}?next=//evil.example`, null))
    t.match(await forged.text(), `<a href="${origin}/">Go back</a>`)
  },
)

t.test('a sign-in that fails begins again with the page that was asked for', async (t) => {
  const pages: string[] = []
  const { origin, browser, button } = await scene(t, {
    onSignIn: () => ({ refuse: 'Not you' }),
    signInPage: '/sign-in',
    allowedReturnOrigins: ['https://shop.example'],
    errorPage: (_error, _request, { returnTo }) => {
      pages.push(returnTo)
      throw new Error('no template')
    },
  })
  const refused = await (await browser.get(await callbackFor(browser, `${button}?next=/inbox`))).text()
  t.match(refused, '<a href="/sign-in?next=%2Finbox">Try again</a>')
  t.match(refused, 'GOSESH_ERR_OAUTH_REFUSED')
  const unknown = await (await browser.get(`${button}/callback`)).text()
  t.match(unknown, '<a href="/sign-in">Try again</a>')
  const shop = 'https://shop.example/cart'
  const other = await (await browser.get(await callbackFor(browser, `${button}?next=${shop}`))).text()
  t.match(other, `<a href="/sign-in?${new URLSearchParams({ next: shop })}">Try again</a>`)
  t.same(pages, [`${origin}/inbox`, `${origin}/`, shop])
})

t.test('too many wrong codes lead back to where codes are typed', async (t) => {
  const { browser, page, post } = await waitingDevice(t, { maxAttempts: 1 })
  await post({ user_code: 'BBBB-BBBB' })
  const refused = await browser.post(page, { user_code: 'BBBB-BBBB' })
  const text = await refused.text()
  t.match(text, '<h1>The device is not connected</h1>')
  t.match(text, '<a href="/auth/device">Try again</a>')
})

t.test(
  'a browser that says 127.0.0.1 for localhost, or the other way round, signs in at the first try',
  async (t) => {
    const { origin, browser, button } = await scene(t)
    const alias = button.replace('127.0.0.1', 'localhost')
    const moved = await browser.get(`${alias}?next=/inbox`)
    t.equal(moved.status, 303)
    t.match(locationOf(moved), `${button}?next=%2Finbox`)
    t.same(moved.headers.getSetCookie(), [], 'nothing is left at the other name')
    t.equal(await signInAt(browser, locationOf(moved)), `${origin}/inbox`)
    // A proxy on this machine may send every request with a host name of its own.
    const proxied = locationOf(moved).replace('127.0.0.1', 'localhost')
    t.match(locationOf(await browser.get(proxied)), '/auth?', 'on to the provider, once moved')
    t.equal(
      await errorOf(await browser.get(`${origin}/auth/acme/callback`)),
      '400 GOSESH_ERR_OAUTH_TRANSACTION',
    )
  },
)
