import t from 'tap'
import { bearerCredential, cookieCredential } from '../../../lib/index.js'
import { acme, appOrigin, sessionIn, signInAt, startApp } from './app.js'
import { devices, grant_type } from './device-fixtures.js'

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
