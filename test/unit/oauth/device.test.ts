import { createHash } from 'node:crypto'
import Fastify from 'fastify'
import * as client from 'openid-client'
import t, { type Test } from 'tap'
import gosesh, {
  bearerCredential,
  cookieCredential,
  type DeviceCodeId,
  GoseshError,
  type GoseshOptions,
  MemoryStore,
} from '../../../lib/index.js'
import { type OAuthOptions, oauth } from '../../../lib/oauth/index.js'
import type { DeviceSettings } from '../../../lib/oauth/options.js'
import { addRoutes, signIn } from '../../tools/app.js'
import { acme, appOrigin, errorOf, scene, sessionIn, signInAt, startApp } from './app.js'
import { Browser, locationOf } from './browser.js'

const grant_type = 'urn:ietf:params:oauth:grant-type:device_code'

interface Started {
  device_code: string
  user_code: string
  [name: string]: unknown
}

/** An application with device authorization, a browser that is signed in, and what a device does. */
async function devices(
  t: Test,
  options: OAuthOptions['deviceAuthorization'] = true,
  sessions: GoseshOptions = {},
) {
  const clock = { offset: 0, now: () => Date.now() + clock.offset }
  const store = new MemoryStore()
  const setting = { deviceAuthorization: options, clock }
  const { app, origin, browser, button } = await scene(t, setting, {
    sessions: { store, clock, ...sessions },
  })
  await signInAt(browser, button)
  const post = async (path: string, form: Record<string, string>) => {
    const response = await fetch(`${origin}/auth/device/${path}`, {
      method: 'POST',
      body: new URLSearchParams(form),
    })
    t.equal(response.headers.get('cache-control'), 'no-store')
    return { status: response.status, body: await response.json() }
  }
  return {
    app,
    origin,
    browser,
    clock,
    store,
    page: `${origin}/auth/device`,
    post,
    start: async (form: Record<string, string> = { client_id: 'acme-cli' }): Promise<Started> =>
      (await post('code', form)).body as Started,
    poll: async ({ device_code }: Started) => await post('token', { grant_type, device_code }),
  }
}

t.test('a device signs in with a code that its user types elsewhere', async (t) => {
  const { app, origin, browser, store, page, start, poll, clock } = await devices(t)
  const started = await start()
  t.match(started, {
    device_code: /^[\w-]{43}$/,
    user_code: /^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/,
    verification_uri: page,
    verification_uri_complete: `${page}?user_code=${started.user_code}`,
    expires_in: 600,
    interval: 5,
  })
  const hashed = (text: string) => createHash('sha256').update(text).digest('base64url')
  const kept = await store.deviceCodes.getDeviceCode(hashed(started.device_code) as DeviceCodeId)
  t.equal(kept?.userCodeId, hashed(started.user_code.replace('-', '')))
  const values = Object.values(kept ?? {}).map(String)
  t.notOk(values.includes(started.device_code) || values.includes(started.user_code), 'hashes alone')
  t.match(await poll(started), { status: 400, body: { error: 'authorization_pending' } })

  const shown = await (await browser.get(String(started.verification_uri_complete))).text()
  t.match(shown, `value="${started.user_code}"`)
  t.notMatch(shown, 'acme-cli', 'the address alone tells nothing')
  const typed = ` ${started.user_code.toLowerCase().replace('-', ' ')}.`
  const asked = await (await browser.post(page, { user_code: typed })).text()
  t.match(asked, /“acme-cli” asks to be signed in/)
  t.match(asked, started.user_code)
  const done = await browser.post(page, { user_code: started.user_code, decision: 'allow' })
  t.match(await done.text(), /You allowed the device/)

  clock.offset += 5_000
  const { status, body } = await poll(started)
  t.equal(status, 200)
  const lifetime = 2_592_000
  t.match(body, { access_token: /^[\w-]{43}$/, token_type: 'Bearer', expires_in: Number })
  const { expires_in } = body as { expires_in: number }
  t.ok(expires_in > lifetime - 10 && expires_in < lifetime, 'counted from the sign-in of who allowed it')
  const { access_token } = body as { access_token: string }
  const me = await app.inject({ url: '/me', headers: { authorization: `Bearer ${access_token}` } })
  t.match(me.json(), {
    userId: (await sessionIn(browser, origin))?.userId,
    metadata: { device_client: 'acme-cli' },
  })
  t.match(await poll(started), { status: 400, body: { error: 'invalid_grant' } }, 'used twice')
  const again = await browser.post(page, { user_code: started.user_code })
  t.equal(await errorOf(again), '400 ')
})

t.test('only a recent sign-in in a browser allows a device', async (t) => {
  const { app, origin, browser, clock, page, start, poll } = await devices(t)
  const started = await start()
  const user = String((await sessionIn(browser, origin))?.userId)
  const { token } = await app.gosesh.createSession(user)
  const form = { user_code: started.user_code, decision: 'allow' }
  const byToken = await fetch(page, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
    body: new URLSearchParams(form),
  })
  t.equal(await errorOf(byToken), '403 GOSESH_ERR_OAUTH_REFUSED')
  t.match(await poll(started), { body: { error: 'authorization_pending' } })

  clock.offset += 600_001
  const later = await start()
  for (const stale of [
    await browser.get(page),
    await browser.post(page, { ...form, user_code: later.user_code }),
  ]) {
    t.equal(locationOf(stale), `${origin}/auth/acme?next=${encodeURIComponent('/auth/device')}`)
  }
  t.match(await poll(later), { body: { error: 'authorization_pending' } })
})

t.test('approvalMaxAge null lets a sign-in of any age allow a device', async (t) => {
  const { browser, clock, page, start, poll } = await devices(t, { approvalMaxAge: null })
  clock.offset += 600_001
  const started = await start()
  await browser.post(page, { user_code: started.user_code, decision: 'allow' })
  t.match(await poll(started), { status: 200 })
})

t.test('a standard client of the device grant', async (t) => {
  const { origin, page, browser } = await devices(t, { interval: 1 })
  const server = {
    issuer: origin,
    device_authorization_endpoint: `${page}/code`,
    token_endpoint: `${page}/token`,
  }
  const configuration = new client.Configuration(server, 'cli', undefined, client.None())
  client.allowInsecureRequests(configuration)
  const started = await client.initiateDeviceAuthorization(configuration, {})
  const polled = client.pollDeviceAuthorizationGrant(configuration, started)
  await browser.post(page, { user_code: started.user_code, decision: 'allow' })
  t.match(await polled, { access_token: /^[\w-]{43}$/, token_type: 'bearer' })
})

t.test('what a device is told instead of a session', async (t) => {
  const { page, post, start, poll, browser, clock, store } = await devices(t)
  const invalid = { status: 400, body: { error: 'invalid_grant' } }
  t.match(await post('token', {}), { status: 400, body: { error: 'invalid_request' } })
  t.match(await post('token', { grant_type }), { status: 400, body: { error: 'invalid_request' } })
  const other = await post('token', { grant_type: 'password', username: 'ada' })
  t.match(other, { status: 400, body: { error: 'unsupported_grant_type' } })
  t.match(await post('token', { grant_type, device_code: 'x' }), invalid, 'guessed')
  t.match(await post('token', { grant_type, device_code: 'x'.repeat(43) }), invalid, 'guessed')

  const other_client = await start()
  const stolen = { grant_type, device_code: other_client.device_code, client_id: 'another' }
  t.match(await post('token', stolen), invalid, 'another client')
  const same = { ...stolen, client_id: 'acme-cli' }
  t.match(await post('token', same), { status: 400, body: { error: 'authorization_pending' } })

  const eager = await start()
  t.match(await poll(eager), { body: { error: 'authorization_pending' } })
  t.match(await poll(eager), { body: { error: 'slow_down' } }, 'too fast')
  clock.offset += 8_000
  t.match(await poll(eager), { body: { error: 'slow_down' } }, 'five seconds more are for good')
  clock.offset += 13_500
  t.match(await poll(eager), { body: { error: 'authorization_pending' } }, 'a tenth early is no fault')
  clock.offset += 15_000
  t.match(await poll(eager), { body: { error: 'authorization_pending' } })

  const denied = await start()
  const page1 = await browser.post(page, { user_code: denied.user_code, decision: 'deny' })
  t.match(await page1.text(), /The device was denied/)
  const changed = await browser.post(page, { user_code: denied.user_code, decision: 'allow' })
  t.equal(changed.status, 400, 'the first decision stands')
  t.match(await poll(denied), { status: 400, body: { error: 'access_denied' } })
  t.match(await poll(denied), invalid)

  const late = await start()
  clock.offset += 600_000
  t.match(await poll(late), { status: 400, body: { error: 'expired_token' } })
  await signInAt(browser, page.replace('device', 'acme'))
  const expired = await browser.post(page, { user_code: late.user_code, decision: 'allow' })
  t.equal(expired.status, 400)

  const raced = await start()
  await browser.post(page, { user_code: raced.user_code, decision: 'allow' })
  const { getDeviceCode } = store.deviceCodes
  let reading = 0
  let release = (): void => {}
  const allHaveRead = new Promise<void>((resolve) => {
    release = resolve
  })
  store.deviceCodes.getDeviceCode = async (id) => {
    const code = await getDeviceCode.call(store.deviceCodes, id)
    reading += 1
    if (reading === 5) release()
    await allHaveRead
    return code
  }
  const polls = await Promise.all(Array.from({ length: 5 }, () => poll(raced)))
  t.same(polls.map(({ status }) => status).sort(), [200, 400, 400, 400, 400], 'one poll gets the session')

  const refused = await start()
  await browser.post(page, { user_code: refused.user_code, decision: 'deny' })
  reading = 0
  const bothHaveRead = new Promise<void>((resolve) => {
    release = resolve
  })
  store.deviceCodes.getDeviceCode = async (id) => {
    const code = await getDeviceCode.call(store.deviceCodes, id)
    reading += 1
    if (reading === 2) release()
    await bothHaveRead
    return code
  }
  const told = await Promise.all([poll(refused), poll(refused)])
  t.same(told.map(({ body }) => (body as { error: string }).error).sort(), ['access_denied', 'invalid_grant'])

  const swept = await start()
  store.deviceCodes.getDeviceCode = async (id) => {
    const code = await getDeviceCode.call(store.deviceCodes, id)
    await store.deviceCodes.consumeDeviceCode(id)
    return code
  }
  t.match(await poll(swept), invalid, 'a code that goes while it is looked at')
})

t.test('the session of a device is of the sign-in that allowed it', async (t) => {
  const credentials = [
    bearerCredential(),
    cookieCredential({ idleTimeout: null, absoluteTimeout: 90 * 86_400_000 }),
  ]
  const { app, origin, browser, clock, page, start, poll } = await devices(
    t,
    { approvalMaxAge: null },
    { credentials },
  )
  const approver = await sessionIn(browser, origin)
  clock.offset += 86_400_000
  const started = await start()
  await browser.post(page, { user_code: started.user_code, decision: 'allow' })
  const { body } = await poll(started)
  const { access_token: token } = body as { access_token: string }
  const session = await app.gosesh.verifyToken(token)
  t.equal(session?.createdAt.toJSON(), approver?.createdAt)
  t.equal(Number(session?.absoluteDeadline), Number(session?.createdAt) + 2_592_000_000)

  clock.offset += 29 * 86_400_000
  const late = await start()
  await browser.post(page, { user_code: late.user_code, decision: 'allow' })
  t.match(
    await poll(late),
    { body: { error: 'access_denied' } },
    'longer ago than a device may stay signed in',
  )
  t.match(await poll(late), { body: { error: 'invalid_grant' } })
})

t.test('what ends the session that allowed a device ends the approval too', async (t) => {
  const { app, origin, browser, page, start, poll } = await devices(t)
  const user = String((await sessionIn(browser, origin))?.userId)
  const ends = {
    deleteUserSessions: () => app.gosesh.deleteUserSessions(user),
    deleteAllSessions: () => app.gosesh.deleteAllSessions(),
    'sign-out everywhere': async () => {
      const cookie = [...browser.cookies(origin)].map((pair) => pair.join('=')).join('; ')
      const url = '/logout-everywhere'
      t.equal((await app.inject({ method: 'POST', url, headers: { cookie } })).statusCode, 200)
    },
  }
  for (const [name, end] of Object.entries(ends)) {
    const started = await start()
    await browser.post(page, { user_code: started.user_code, decision: 'allow' })
    await end()
    t.match(await poll(started), { status: 400, body: { error: 'access_denied' } }, name)
    t.match(await poll(started), { body: { error: 'invalid_grant' } }, 'for good')
    t.same(await app.gosesh.listUserSessions(user), [])
    await signInAt(browser, page.replace('device', 'acme'))
  }
})

t.test('an account that is full does not use up the code', async (t) => {
  const maxSessionsPerUser = { limit: 2, whenFull: 'refuse' } as const
  const { app, browser, clock, page, start, poll, origin } = await devices(t, true, {
    maxSessionsPerUser,
  })
  const user = String((await sessionIn(browser, origin))?.userId)
  const other = await app.gosesh.createSession(user)
  const started = await start()
  await browser.post(page, { user_code: started.user_code, decision: 'allow' })
  t.match(await poll(started), { status: 400, body: { error: 'authorization_pending' } })
  t.match(await poll(started), { status: 400, body: { error: 'slow_down' } }, 'and is not asked any faster')
  await app.gosesh.deleteSession(other.session.id)
  clock.offset += 10_000
  t.match(await poll(started), { status: 200, body: { access_token: /./ } })
  t.equal((await app.gosesh.listUserSessions(user)).length, 2)
})

t.test('an outage does not use up the code', async (t) => {
  const { app, browser, store, page, start, poll, origin } = await devices(t)
  const user = String((await sessionIn(browser, origin))?.userId)
  const started = await start()
  await browser.post(page, { user_code: started.user_code, decision: 'allow' })
  for (const method of ['createSession', 'consumeDeviceCode'] as const) {
    const target = method === 'createSession' ? store : store.deviceCodes
    const original = Reflect.get(target, method)
    Object.assign(target, { [method]: () => Promise.reject(new Error('the store is down')) })
    t.match(await poll(started), { status: 503 }, method)
    Object.assign(target, { [method]: original })
    t.equal((await app.gosesh.listUserSessions(user)).length, 1, 'and leaves no session behind')
  }
  t.match(await poll(started), { status: 200 })
})

t.test('start-up fails if no credential could carry the token of a device', async (t) => {
  const origin = await appOrigin()
  const providers = { acme: acme({ issuer: 'http://127.0.0.1:1' }) }
  const sessions = { credentials: [cookieCredential()] }
  await t.rejects(startApp(t, { origin, providers, deviceAuthorization: true }, { sessions }), {
    code: 'GOSESH_ERR_OPTION',
    message: /^Option deviceAuthorization is true; expected off, or gosesh with a credential for devices/,
  })
})

t.test('which clients may ask', async (t) => {
  const listed = await devices(t, { clients: { cli: 'The <Acme> command line' } })
  t.match(await listed.post('code', { client_id: 'other' }), {
    status: 400,
    body: { error: 'invalid_client' },
  })
  t.match(await listed.post('code', { client_id: 'constructor' }), { body: { error: 'invalid_client' } })
  t.match(await listed.post('code', {}), { status: 400, body: { error: 'invalid_client' } })
  const { user_code, device_code } = await listed.start({ client_id: 'cli' })
  t.match(await listed.post('token', { grant_type, device_code }), { body: { error: 'invalid_client' } })
  const asked = await (await listed.browser.post(listed.page, { user_code })).text()
  t.match(asked, '“The &lt;Acme&gt; command line” asks')

  const any = await devices(t)
  const bad = await any.post('code', { client_id: 'Your bank, really' })
  t.match(bad, { status: 400, body: { error: 'invalid_client' } })
  const unnamed = await any.start({})
  const page = await (await any.browser.post(any.page, { user_code: unnamed.user_code })).text()
  t.match(page, '<p>A device asks')
  const json = await fetch(`${any.page}/code`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"client_id":"cli"}',
  })
  t.equal(json.status, 200, 'as JSON')
  for (const path of ['code', 'token']) {
    const twice = await fetch(`${any.page}/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: 'client_id=a&client_id=b',
    })
    t.equal(twice.status, 400)
    t.same(await twice.json(), { error: 'invalid_request' }, 'RFC 6749, section 5.2: a field twice')
    const text = await fetch(`${any.page}/${path}`, { method: 'POST', body: 'x' })
    t.equal(text.status, 415, 'no form at all')
  }
})

t.test('the page is for its user alone', async (t) => {
  const { app, page, origin, start, browser, poll } = await devices(t)
  const stranger = new Browser()
  const { user_code, ...started } = await start()
  const sent = locationOf(await stranger.get(`${page}?user_code=${user_code}`))
  t.equal(sent, `${origin}/auth/acme?${new URLSearchParams({ next: `/auth/device?user_code=${user_code}` })}`)
  t.equal(await signInAt(stranger, sent, 'bo'), `${page}?user_code=${user_code}`, 'and back')
  const anonymous = await new Browser().post(page, { user_code, decision: 'allow' })
  t.equal(await errorOf(anonymous), '401 GOSESH_ERR_UNAUTHENTICATED')
  for (const [name, value] of [
    ['sec-fetch-site', 'cross-site'],
    ['origin', 'https://evil.example'],
  ] as const) {
    const forged = await browser.post(page, { user_code, decision: 'allow' }, { [name]: value })
    t.equal(await errorOf(forged), '403 GOSESH_ERR_CROSS_ORIGIN')
  }
  t.match(await poll({ user_code, ...started } as Started), { body: { error: 'authorization_pending' } })
  const cookie = [...browser.cookies(origin)].map((pair) => pair.join('=')).join('; ')
  const renamed = await app.inject({
    method: 'POST',
    url: '/auth/device',
    headers: { cookie, host: 'evil.example', origin: 'http://evil.example' },
    payload: { user_code, decision: 'allow' },
  })
  t.equal(renamed.statusCode, 403, 'whatever the request calls its host')
  const own = await browser.post(page, { user_code }, { origin })
  t.match(await own.text(), 'Connect this device?', 'of a browser without Sec-Fetch-Site')
  const shown = await browser.get(page)
  t.match(shown.headers.get('content-security-policy'), /frame-ancestors 'none'/)
  t.equal(shown.headers.get('x-frame-options'), 'DENY')
  t.equal(shown.headers.get('referrer-policy'), 'same-origin', 'so that the form has its Origin')
  t.match(await shown.text(), 'value=""')
  t.match(await (await browser.get(`${page}?user_code=%22%3E%3Cscript%3E`)).text(), 'value=""')
})

t.test("the page in the application's look", async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  app.addHook('onRequest', async ({ headers }, reply) => {
    if (headers['x-policy'] !== undefined) reply.header('content-security-policy', headers['x-policy'])
  })
  app.register(gosesh, { credentials: [bearerCredential(), cookieCredential()] })
  app.register(oauth, {
    origin: 'https://app.example',
    providers: { acme: acme({ issuer: 'http://127.0.0.1:1' }) },
    deviceAuthorization: {
      page: async ({ title, body }, { session }) => `<h1>${title} for ${session?.userId}</h1>${body}`,
    },
  })
  addRoutes(app)
  const { cookie } = await signIn(app)
  const visit = async (headers: Record<string, string>, form?: string) =>
    await app.inject({
      method: form === undefined ? 'GET' : 'POST',
      url: '/auth/device',
      headers: { cookie, 'content-type': 'application/x-www-form-urlencoded', ...headers },
      body: form,
    })
  const shown = await visit({})
  t.match(shown.headers, {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': "frame-ancestors 'none'; base-uri 'none'",
    'x-frame-options': 'DENY',
    'cache-control': 'no-store',
    'referrer-policy': 'same-origin',
  })
  t.match(shown.body, '<h1>Connect a device for ada</h1><form')
  const policed = await visit({ 'x-policy': "default-src 'self'" })
  t.equal(policed.headers['content-security-policy'], "default-src 'self'", 'a policy of its own stands')
  t.equal(policed.headers['x-frame-options'], 'DENY')

  const wrong = await visit({}, 'user_code=BBBB-BBBB')
  t.equal(wrong.statusCode, 400)
  t.match(wrong.body, /<h1>Connect a device for ada[\s\S]*This code is wrong, used or expired/)
  const { user_code } = (await app.inject({ method: 'POST', url: '/auth/device/code' })).json()
  t.match((await visit({}, `user_code=${user_code}`)).body, '<h1>Connect this device? for ada</h1>')
})

t.test('guessing is slow', async (t) => {
  const { page, browser, clock, store, start } = await devices(t, { maxAttempts: 3 })
  const guess = async (user_code: string) => await browser.post(page, { user_code })
  for (const code of ['BBBB-BBBB', '<b>', 'AEIO-UAEI']) {
    const response = await guess(code)
    t.equal(response.status, 400)
    t.match(await response.text(), 'This code is wrong, used or expired')
  }
  const { user_code } = await start()
  const refused = await guess(user_code)
  t.match(Number(refused.headers.get('retry-after')), 60)
  t.equal(await errorOf(refused), '429 GOSESH_ERR_OAUTH_TOO_MANY_ATTEMPTS', 'a right one, too')
  clock.offset += 60_000
  t.match(await (await guess(user_code)).text(), 'Connect this device?')
  t.equal((await guess('BBBB-BBBB')).status, 400)
  clock.offset += 60_000
  for (let times = 0; times < 5; times++) t.equal((await guess(user_code)).status, 200, 'right ones are free')
  const { findDeviceCode } = store.deviceCodes
  store.deviceCodes.findDeviceCode = async () => {
    throw new Error('the store is down')
  }
  for (let times = 0; times < 5; times++) t.equal((await guess('BBBB-BBBB')).status, 503, 'as is an outage')
  store.deviceCodes.findDeviceCode = findDeviceCode
  t.equal((await guess('BBBB-BBBB')).status, 400)
})

t.test('guesses made all at once are counted as many', async (t) => {
  const { page, browser, store } = await devices(t, { maxAttempts: 3 })
  const { findDeviceCode } = store.deviceCodes
  let looked = 0
  let release = (): void => {}
  const allAreIn = new Promise<void>((resolve) => {
    release = resolve
  })
  store.deviceCodes.findDeviceCode = async (id) => {
    looked += 1
    await allAreIn
    return await findDeviceCode.call(store.deviceCodes, id)
  }
  const guesses = Array.from({ length: 12 }, async () => {
    const { status } = await browser.post(page, { user_code: 'BBBB-BBBB' })
    if (status === 429) release()
    return status
  })
  const refused = (await Promise.all(guesses)).filter((status) => status === 429).length
  t.equal(refused, 9)
  t.equal(looked, 3)
})

t.test('the count of guesses is bounded', async (t) => {
  const { Attempts } = await import('../../../lib/oauth/device/attempts.js')
  const clock = { now: () => 0 }
  const attempts = new Attempts(clock, 1)
  const wrong = async () => null
  for (let user = 0; user <= 10_000; user++) await attempts.make(`${user}`, wrong)
  await t.rejects(attempts.make('1', wrong), { code: 'GOSESH_ERR_OAUTH_TOO_MANY_ATTEMPTS' })
  t.equal(await attempts.make('0', wrong), null, 'the oldest gave way')
})

t.test('the store', async (t) => {
  t.test('is asked again where a user code is taken, and not for ever; its own errors stand', async (t) => {
    const { store, post } = await devices(t)
    const { createDeviceCode } = store.deviceCodes
    let refused = 0
    store.deviceCodes.createDeviceCode = async (code) => {
      refused += 1
      return refused > 2 && (await createDeviceCode.call(store.deviceCodes, code))
    }
    t.equal((await post('code', {})).status, 200)
    store.deviceCodes.createDeviceCode = async () => false
    t.match(await post('code', {}), { status: 503, body: { code: 'GOSESH_ERR_STORE_UNAVAILABLE' } })
    store.deviceCodes.createDeviceCode = async () => {
      throw new GoseshError('GOSESH_ERR_STORE_FULL')
    }
    t.match(await post('code', {}), { status: 503, body: { code: 'GOSESH_ERR_STORE_FULL' } })
  })

  t.test('is asked no more often at once than by gosesh itself', async (t) => {
    const store = new MemoryStore()
    const sessions = { store, storeTimeout: 300, maxPendingStoreCalls: 5 }
    const { origin } = await scene(t, { deviceAuthorization: true }, { sessions })
    let calls = 0
    store.deviceCodes.getDeviceCode = () => {
      calls += 1
      return new Promise(() => {})
    }
    const body = new URLSearchParams({ grant_type, device_code: 'x'.repeat(43) })
    const polls = Array.from({ length: 20 }, () =>
      fetch(`${origin}/auth/device/token`, { method: 'POST', body }),
    )
    for (const { status } of await Promise.all(polls)) t.equal(status, 503)
    t.equal(calls, 5)
  })

  t.test('is not swept if gosesh does not sweep', async (t) => {
    for (const [sweepInterval, sweeps] of [
      [null, false],
      [5, true],
    ] as const) {
      const store = new MemoryStore()
      const swept = new Promise<boolean>((resolve) => {
        store.deviceCodes.deleteExpiredDeviceCodes = async () => {
          resolve(true)
          return 0
        }
        setTimeout(() => resolve(false), 200)
      })
      await scene(t, { deviceAuthorization: true }, { sessions: { store, sweepInterval } })
      t.equal(await swept, sweeps)
    }
  })

  t.test('has its time', async (t) => {
    const store = new MemoryStore()
    const sessions = { store, storeTimeout: 20 }
    const { origin } = await scene(t, { deviceAuthorization: true }, { sessions })
    store.deviceCodes.createDeviceCode = () => new Promise(() => {})
    const response = await fetch(`${origin}/auth/device/code`, { method: 'POST' })
    t.equal(response.status, 503)
  })

  t.test('is swept of what has expired', async (t) => {
    const { DeviceAuthorization } = await import('../../../lib/oauth/device/service.js')
    const { app, store, start, poll, clock } = await devices(t)
    const { parseSettings } = await import('../../../lib/oauth/options.js')
    const providers = { acme: acme({ issuer: 'http://127.0.0.1:1' }) }
    const given = { origin: 'https://app.example', providers, deviceAuthorization: true }
    const settings = parseSettings(given, '').deviceAuthorization as DeviceSettings
    const authorization = new DeviceAuthorization(app, settings, clock)
    const old = await start()
    clock.offset += 1_200_001
    const recent = await start()
    await authorization.sweep()
    t.match((await poll(old)).body, { error: 'invalid_grant' })
    t.match((await poll(recent)).body, { error: 'authorization_pending' })
    const counts = [1_000, 1_000, 3]
    store.deviceCodes.deleteExpiredDeviceCodes = async () => counts.shift() ?? 0
    await authorization.sweep()
    t.same(counts, [], 'as long as a chunk comes back full')
  })

  t.test('without the methods fails start-up', async (t) => {
    const origin = await appOrigin()
    const providers = { acme: acme({ issuer: 'http://127.0.0.1:1' }) }
    const store = new MemoryStore()
    Object.assign(store.deviceCodes, { consumeDeviceCode: undefined })
    await t.rejects(startApp(t, { origin, providers, deviceAuthorization: true }, { sessions: { store } }), {
      code: 'GOSESH_ERR_STORE_CAPABILITY',
      message: 'The option deviceAuthorization needs a store with the method deviceCodes.consumeDeviceCode',
    })
  })
})
