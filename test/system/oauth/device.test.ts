import { createHash } from 'node:crypto'
import * as client from 'openid-client'
import t from 'tap'
import type { DeviceCodeId } from '../../../lib/index.js'
import { errorOf, sessionIn, signInAt } from './app.js'
import { locationOf } from './browser.js'
import { devices, grant_type } from './device-fixtures.js'

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
  t.match(body, { access_token: /^[\w-]{22}\.[\w-]{43}$/, token_type: 'Bearer', expires_in: Number })
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
  t.match(await polled, { access_token: /^[\w-]{22}\.[\w-]{43}$/, token_type: 'bearer' })
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
