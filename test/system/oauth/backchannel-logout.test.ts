import { generateKeyPair, SignJWT } from 'jose'
import t from 'tap'
import { MemoryStore } from '../../../lib/index.js'
import { acme, appOrigin, scene, sessionIn, signInAt, startApp } from './app.js'
import { Browser, locationOf } from './browser.js'
import { clientId } from './oidc-server.js'
import { logoutEvent } from './tokens-fixtures.js'

t.test('back-channel logout', async (t) => {
  const store = new MemoryStore()
  const { app, origin, server, button } = await scene(
    t,
    { backchannelLogout: true },
    { sessions: { store }, provider: { idTokenExchange: true } },
  )
  const url = `${origin}/auth/acme/backchannel-logout`
  const send = async (token: string) =>
    await fetch(url, { method: 'POST', body: new URLSearchParams({ logout_token: token }) })
  const signedIn = async (user: string) => {
    const browser = new Browser()
    await signInAt(browser, button, user)
    return { browser, session: await sessionIn(browser, origin) }
  }
  const exchange = async (sub: string) => {
    const body = new URLSearchParams({ id_token: await server.sign({ sub }) })
    const response = await fetch(`${button}/token`, { method: 'POST', body })
    return (await response.json()) as { token: string }
  }
  const logout = (claims: object, header?: { typ?: string }) =>
    server.sign({ events: logoutEvent, jti: `${Math.random()}`, ...claims }, { typ: 'logout+jwt', ...header })

  t.test('by the session at the provider', async (t) => {
    const [one, two] = [await signedIn('ada'), await signedIn('ada')]
    const sid = one.session?.metadata?.oidc_sid
    const response = await send(await logout({ sub: 'ada', sid }))
    t.equal(response.status, 200)
    t.equal(response.headers.get('cache-control'), 'no-store')
    t.equal(await sessionIn(one.browser, origin), null)
    t.ok(await sessionIn(two.browser, origin), 'the other device stays signed in')
    const { metadata } = two.session ?? {}
    t.equal(
      (await send(await logout({ sid: metadata?.oidc_sid }, { typ: 'JWT' }))).status,
      200,
      'by sid alone',
    )
    t.equal(await sessionIn(two.browser, origin), null)
  })

  t.test('of a session at the provider that ours does not know of', async (t) => {
    const { userId } = (await signedIn('cy')).session ?? {}
    const known = { oidc_iss: server.issuer, oidc_sub: 'cy' }
    const create = async (metadata: Record<string, string>) =>
      (await app.gosesh.createSession(String(userId), { metadata })).session.id
    const { token } = await exchange('cy')
    t.match((await app.gosesh.verifyToken(token))?.metadata, { oidc_without_sid: 'true' })
    const unknown = await create({ ...known, oidc_without_sid: 'true' })
    const other = await create({ ...known, oidc_sid: 'another' })
    const foreign = await create({ ...known, oidc_sub: 'bo', oidc_without_sid: 'true' })
    t.equal((await send(await logout({ sub: 'cy', sid: 'one' }))).status, 200)
    t.equal(await app.gosesh.getSession(unknown), null, 'it may be that one')
    t.ok(await app.gosesh.getSession(other))
    t.ok(await app.gosesh.getSession(foreign))
    t.equal(await app.gosesh.verifyToken(token), null, 'nor is that of an exchanged ID token known')
  })

  t.test('and no ID token that was issued before signs them in again', async (t) => {
    const post = async (idToken: string) => {
      const body = new URLSearchParams({ id_token: idToken })
      return (await fetch(`${button}/token`, { method: 'POST', body })).status
    }
    const iat = Math.floor(Date.now() / 1_000)
    const tokenOf = (claims: object) => server.sign({ sub: 'dee', iat, ...claims })
    const [first, second] = [await tokenOf({ sid: 'one' }), await tokenOf({ sid: 'two' })]
    t.equal((await send(await logout({ sub: 'dee', sid: 'one' }))).status, 200)
    t.equal(await post(first), 400, 'of the session that ended')
    t.equal(await post(await tokenOf({ sid: 'one', iat: iat + 20 })), 400, 'whenever it was issued')
    t.equal(await post(await tokenOf({})), 400, 'of a session that may be that one')
    t.equal(await post(second), 200, 'of another one')
    t.equal((await send(await logout({ sub: 'dee' }))).status, 200)
    t.equal((await send(await logout({ sub: 'dee' }))).status, 200, 'twice')
    t.equal(await post(await tokenOf({ sid: 'three' })), 400, 'of the user')
    t.equal(await post(await tokenOf({ iat: iat - 1 })), 400)
    t.equal(await post(await tokenOf({ sid: 'four', iat: iat + 20 })), 200, 'who then signed in again')
  })

  t.test('only of a token with the type, if that is asked for', async (t) => {
    const provider = { requireLogoutTokenType: true }
    const strict = await scene(t, { backchannelLogout: true }, { provider })
    for (const [typ, status] of [
      ['JWT', 400],
      ['logout+jwt', 200],
    ] as const) {
      const token = await strict.server.sign({ events: logoutEvent, jti: typ, sub: 'ada' }, { typ })
      const body = new URLSearchParams({ logout_token: token })
      t.equal((await fetch(`${strict.button}/backchannel-logout`, { method: 'POST', body })).status, status)
    }
  })

  t.test('tells of the ends, so that what else belongs to a session can end too', async (t) => {
    const [one, two] = [await signedIn('eve'), await signedIn('eve')]
    const ended: (string | null)[] = []
    t.teardown(app.gosesh.onSessionEnd(({ sessionId }) => ended.push(sessionId)))
    t.equal((await send(await logout({ sub: 'eve' }))).status, 200)
    t.same(ended.sort(), [one.session?.id, two.session?.id].sort())
  })

  t.test('by the subject', async (t) => {
    const [one, two, other] = [await signedIn('ada'), await signedIn('ada'), await signedIn('bo')]
    t.equal((await send(await logout({ sub: 'ada' }))).status, 200)
    t.equal(await sessionIn(one.browser, origin), null)
    t.equal(await sessionIn(two.browser, origin), null)
    t.ok(await sessionIn(other.browser, origin))
    t.equal((await send(await logout({ sub: 'nobody' }))).status, 200, 'who is not signed in is signed out')
  })

  t.test('by the provider itself, when its user signs out there', async (t) => {
    const { browser } = await signedIn('cy')
    const there = locationOf(await browser.post(`${origin}/auth/sign-out?provider`, {}))
    const again = await signInAt(browser, button, 'cy')
    t.equal(again, `${origin}/`)
    const page = await browser.get(there)
    const html = await page.text()
    const [, action = ''] = /action="([^"]+)"/.exec(html) ?? []
    const [, xsrf = ''] = /name="xsrf" value="([^"]+)"/.exec(html) ?? []
    const done = await browser.post(action, { xsrf, logout: 'yes' })
    t.match(locationOf(done), `${origin}/`)
    t.equal(await sessionIn(browser, origin), null, 'the session that began since is over')
  })

  t.test('a forged logout token ends nothing', async (t) => {
    const { browser } = await signedIn('ada')
    const now = Math.floor(Date.now() / 1_000)
    const { privateKey } = await generateKeyPair('RS256')
    const foreign = new SignJWT({
      iss: server.issuer,
      aud: clientId,
      sub: 'ada',
      events: logoutEvent,
      jti: 'j',
      iat: now,
    })
    const used = await logout({ sub: 'nobody' })
    t.equal((await send(used)).status, 200)
    for (const [what, token] of Object.entries({
      'used before': used,
      'signed by somebody else': await foreign
        .setProtectedHeader({ alg: 'RS256', kid: 'test' })
        .sign(privateKey),
      'of another issuer': await logout({ sub: 'ada', iss: 'https://evil.example' }),
      'for another audience': await logout({ sub: 'ada', aud: 'someone else' }),
      'for nobody': await logout({ sub: 'ada', aud: [] }),
      'without an event': await logout({ sub: 'ada', events: {} }),
      'with no events': await logout({ sub: 'ada', events: null }),
      'with another event': await logout({ sub: 'ada', events: { other: {} } }),
      'with an event that is no object': await logout({
        sub: 'ada',
        events: { [Object.keys(logoutEvent)[0] ?? '']: 1 },
      }),
      'with a nonce': await logout({ sub: 'ada', nonce: 'n' }),
      'of nobody': await logout({}),
      'without an id': await logout({ sub: 'ada', jti: undefined }),
      'with an empty id': await logout({ sub: 'ada', jti: '' }),
      'with a session that is no text': await logout({ sub: 'ada', sid: 7 }),
      'without a time': await logout({ sub: 'ada', iat: undefined }),
      'too old': await logout({ sub: 'ada', iat: now - 700 }),
      expired: await logout({ sub: 'ada', iat: now - 100, exp: now - 60 }),
      'an ID token': await server.sign({ sub: 'ada' }),
      'typed as an access token': await logout({ sub: 'ada' }, { typ: 'at+jwt' }),
      'typed by a number': await logout({ sub: 'ada' }, { typ: 7 as unknown as string }),
      'no token': 'x',
    })) {
      const response = await send(token)
      t.equal(response.status, 400, what)
      t.equal(response.headers.get('cache-control'), 'no-store', what)
      t.same(await response.json(), { error: 'invalid_request' }, what)
    }
    const empty = await fetch(url, { method: 'POST', body: new URLSearchParams() })
    t.equal(empty.status, 400, 'without a token')
    t.ok(await sessionIn(browser, origin))
  })

  t.test('one that the store could not obey may come again', async (t) => {
    const { browser } = await signedIn('ada')
    const token = await logout({ sub: 'ada' })
    const { deleteSessionsByMetadata } = store
    store.deleteSessionsByMetadata = async () => {
      throw new Error('the store is down')
    }
    t.equal((await send(token)).status, 400)
    store.deleteSessionsByMetadata = deleteSessionsByMetadata
    t.equal((await send(token)).status, 200)
    t.equal(await sessionIn(browser, origin), null)
  })
})

t.test('the memory of used logout tokens is bounded', async (t) => {
  const { SeenTokens } = await import('../../../lib/oauth/token/seen-tokens.js')
  const clock = { time: 0, now: () => clock.time }
  const seen = new SeenTokens(clock)
  const token = (jti: string, iss = 'a') => `${iss}\n${jti}`
  t.equal(seen.add(token('1')), true)
  t.equal(seen.add(token('1')), false)
  t.equal(seen.add(token('1', 'b')), true, 'of another issuer')
  clock.time = 660_000
  t.equal(seen.add(token('1')), true, 'it would verify no more')
  for (let i = 0; i < 10_000; i++) seen.add(token(`x${i}`))
  t.equal(seen.size, 10_000)
  t.equal(seen.add(token('1')), true, 'the oldest gave way')
  t.equal(seen.add(token('x9999')), false)
})

t.test('refuses to start without the store that it needs', async (t) => {
  const origin = await appOrigin()
  const providers = { acme: acme({ issuer: 'http://127.0.0.1:1' }) }
  const store = Object.assign(new MemoryStore(), { deleteSessionsByMetadata: undefined })
  await t.rejects(startApp(t, { origin, providers, backchannelLogout: true }, { sessions: { store } }), {
    code: 'GOSESH_ERR_STORE_CAPABILITY',
    message: 'The option backchannelLogout needs a store with the method deleteSessionsByMetadata',
  })
})
