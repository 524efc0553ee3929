import Fastify from 'fastify'
import t from 'tap'
import gosesh, { bearerCredential, cookieCredential } from '../../../lib/index.js'
import { oauth } from '../../../lib/oauth/index.js'
import { addRoutes, signIn } from '../../tools/app.js'
import { acme, errorOf, signInAt } from './app.js'
import { Browser, locationOf } from './browser.js'
import { devices, type Started } from './device-fixtures.js'

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
