import { createHash, randomBytes } from 'node:crypto'
import t from 'tap'
import { cookieCredential } from '../../lib/index.js'
import { Site, setCookies } from './site.js'

// Weaknesses that libraries for sessions had, each shown not to be here: by its number, the library and what it was.

const hour = 3_600_000

function cookieOf(token: string): string {
  return `Cookie: __Host-session=${token}`
}

t.test('CVE-2022-25896 (passport): a session known before the sign-in is signed in by it', async (t) => {
  const site = await Site.start(t)
  const { token: known, cookie: shared } = await site.signIn('attacker')
  const victim = await site.signIn('victim', [shared])
  t.equal(await site.userOf(cookieOf(known)), null)
  await site.send('POST', '/logout', [victim.cookie])
  t.equal(await site.userOf(victim.cookie), null, 'and a sign-out ends it, too')
  t.equal(await site.userOf(cookieOf(known)), null)
})

t.test('CVE-2023-29019 (@fastify/passport): a tossed session cookie outlives the sign-in', async (t) => {
  const site = await Site.start(t)
  const attacker = await site.signIn('attacker')
  const planted = randomBytes(32).toString('base64url')
  for (const tossed of [attacker.token, planted]) {
    const victim = await site.signIn('victim', [cookieOf(tossed)])
    t.not(victim.token, tossed)
    t.equal(await site.userOf(cookieOf(tossed)), null)
    t.equal(await site.userOf(victim.cookie), 'victim')
  }
})

t.test('CVE-2023-29020 (@fastify/passport): what the session held before survives the sign-in', async (t) => {
  const site = await Site.start(t)
  const attacker = await site.signIn('attacker', [], { metadata: { csrfSecret: 'known' } })
  const victim = await site.signIn('victim', [attacker.cookie])
  t.equal(victim.session.metadata, null)
  const shown = await site.send('GET', '/whoami', [victim.cookie])
  t.notMatch(shown.body, /known/)
})

t.test('CVE-2024-35220 (@fastify/session): a restored expiry never comes', async (t) => {
  let now = Date.parse('2030-01-01T00:00:00Z')
  const site = await Site.start(t, {
    gosesh: {
      clock: { now: () => now },
      credentials: [cookieCredential({ idleTimeout: 2 * hour, absoluteTimeout: 5 * hour })],
    },
  })
  const [quiet, busy] = [await site.signIn(), await site.signIn()]
  for (let elapsed = 1; elapsed < 5; elapsed++) {
    now += hour
    t.equal(await site.userOf(busy.cookie), 'ada', `active after ${elapsed} hours`)
    const { absoluteDeadline } = (await site.app.gosesh.getSession(busy.session.id)) ?? {}
    t.equal(
      absoluteDeadline?.toISOString(),
      String(busy.session.absoluteDeadline),
      'which reading does not move',
    )
    if (elapsed === 2) t.equal(await site.userOf(quiet.cookie), null, 'the idle deadline has come')
  }
  now += hour
  t.equal(await site.userOf(busy.cookie), null, 'and so has the absolute one, however active it was')
  t.same(await site.app.gosesh.listUserSessions('ada'), [])
})

t.test('CVE-2024-31999 (@fastify/secure-session): a copy of the cookie outlives the sign-out', async (t) => {
  const site = await Site.start(t)
  const { cookie } = await site.signIn()
  const copy = cookie
  t.equal(await site.userOf(copy), 'ada')
  await site.send('POST', '/logout', [cookie])
  for (let i = 0; i < 3; i++) t.equal(await site.statusOf('GET', '/me', copy), 401)
})

t.test(
  'CVE-2024-21492 (caddy-security): the sign-out clears the cookie and leaves the session',
  async (t) => {
    const site = await Site.start(t)
    const { cookie, session } = await site.signIn()
    site.store.fail('deleteSession')
    const failed = await site.send('POST', '/logout', [cookie])
    t.equal(failed.status, 503)
    t.same(setCookies(failed), [], 'no cookie is cleared before its session has ended')
    site.store.off('deleteSession')
    const out = await site.send('POST', '/logout', [cookie])
    t.match(setCookies(out), [{ pair: '__Host-session=' }])
    t.equal(await site.store.getSession(session.id), null)
  },
)

t.test(
  'CVE-2025-46336 (rack-session): a slow request restores a session that was deleted meanwhile',
  async (t) => {
    for (const activityTracking of [{}, false] as const) {
      let now = Date.parse('2030-01-01T00:00:00Z')
      let release = (): void => {}
      let entered = (): void => {}
      const inside = new Promise<void>((resolve) => {
        entered = resolve
      })
      const site = await Site.start(t, {
        gosesh: { activityTracking, clock: { now: () => now } },
        routes: (app) =>
          app.get('/slow', async (request) => {
            const held = new Promise<void>((resolve) => {
              release = resolve
            })
            entered()
            await held
            return request.session
          }),
      })
      const { cookie, session } = await site.signIn()
      // Late enough that the slow request moves its deadline.
      now += 29.5 * 60_000
      const slow = site.connect(t).send(site.compose('GET', '/slow', [cookie]))
      await inside
      t.equal((await site.send('POST', '/logout', [cookie])).status, 200)
      release()
      t.equal((await slow)?.status, 200, 'it began before the sign-out')
      await site.app.gosesh.activityTracker?.flush()
      t.equal(await site.store.getSession(session.id), null)
      t.equal(await site.userOf(cookie), null)
      t.same(await site.app.gosesh.listUserSessions('ada'), [])
    }
  },
)

t.test('CVE-2019-16782 (rack): the store is searched for what the cookie holds', async (t) => {
  const site = await Site.start(t)
  const { token, session, cookie } = await site.signIn()
  const secret = token.slice(23)
  const record = await site.store.getSession(session.id)
  t.equal(record?.secretHash, createHash('sha256').update(`session:${secret}`).digest('base64url'))
  for (const held of [session.id, record?.secretHash, `${session.id}.${record?.secretHash}`]) {
    t.equal(await site.userOf(cookieOf(String(held))), null, 'what a store holds signs nobody in')
  }
  await site.userOf(cookie)
  await site.send('POST', '/logout-everywhere', [cookie])
  t.notOk(JSON.stringify(site.store.calls).includes(secret))
})

t.test(
  'CVE-2026-39324 (rack-session): a cookie that is not the server’s is decoded all the same',
  async (t) => {
    const site = await Site.start(t)
    await site.signIn()
    const claims = { userId: 'ada', session: { userId: 'ada' }, id: 1 }
    const json = JSON.stringify(claims)
    const encoded = Buffer.from(json).toString('base64url')
    site.store.reset()
    for (const crafted of [
      encodeURIComponent(json),
      encoded,
      `${encoded}.${createHash('sha256').update(encoded).digest('base64url')}`,
      `eyJhbGciOiJub25lIn0.${encoded}.`,
      `s%3A${encoded}.signature`,
      `j%3A${encodeURIComponent(json)}`,
      Buffer.from('\x04\x08{\x06I"\x0cuser_id').toString('base64'),
    ]) {
      t.equal(await site.userOf(cookieOf(crafted)), null, crafted.slice(0, 40))
    }
    t.same(site.store.counts, {}, 'nothing is decoded, and no store is asked')
  },
)

t.test('CVE-2024-51996 (Symfony): a remembered sign-in is taken for that of another user', async (t) => {
  const site = await Site.start(t)
  const month = 30 * 24 * hour
  const ada = await site.signIn('ada', [], { idleTimeout: null, absoluteTimeout: month })
  for (const claim of [`bo:${ada.token}`, `${ada.token}:bo`, `bo%3a${ada.token}`, `${ada.token}%3abo`]) {
    t.equal(await site.userOf(cookieOf(claim)), null, claim)
  }
  for (const claim of ['user=bo', 'userId=bo', 'REMEMBERME=bo']) {
    t.equal(await site.userOf(`Cookie: ${claim}; __Host-session=${ada.token}; ${claim}`), 'ada', claim)
  }
})

t.test('CVE-2020-8184, CVE-2020-7070 (rack, PHP): an encoded cookie name is one with a prefix', async (t) => {
  const site = await Site.start(t)
  const { token } = await site.signIn()
  for (const name of ['%5f%5fHost-session', '__Host%2Dsession', '__%48ost-session', '%5F_Host-session']) {
    t.equal(await site.userOf(`Cookie: ${name}=${token}`), null, name)
  }
})

t.test('CVE-2022-31629 (PHP): a mangled cookie name is one with a prefix', async (t) => {
  const site = await Site.start(t)
  const { token } = await site.signIn()
  for (const name of [
    '..Host-session',
    '._Host-session',
    '_.Host-session',
    '[_Host-session',
    '_ Host-session',
  ]) {
    t.equal(await site.userOf(`Cookie: ${name}=${token}`), null, name)
  }
})

t.test('CVE-2023-23934 (Werkzeug): a cookie without a name is one with a prefix', async (t) => {
  const site = await Site.start(t)
  const [victim, tossed] = [await site.signIn('victim'), await site.signIn('attacker')]
  const nameless = `=__Host-session=${tossed.token}`
  t.equal(await site.userOf(`Cookie: ${nameless}`), null)
  t.equal(await site.userOf(`Cookie: ${nameless}; __Host-session=${victim.token}`), 'victim')
})

t.test('CVE-2026-43828 (Shiro): cookies are sent without Secure', async (t) => {
  const site = await Site.start(t)
  const { response, cookie } = await site.signIn()
  const out = await site.send('POST', '/logout', [cookie])
  for (const set of [...setCookies(response), ...setCookies(out)]) {
    t.ok(['Secure', 'HttpOnly', 'SameSite=Lax'].every((attribute) => set.attributes.includes(attribute)))
  }
})

t.test('CVE-2016-4423 (Symfony): sessions are filled with user names of any length', async (t) => {
  const site = await Site.start(t)
  for (const length of [1_001, 100_000, 1_000_000]) {
    const { status } = await site.post('/login', { user: 'u'.repeat(length) })
    t.equal(status, 400)
  }
  t.same(site.store.counts, {})
})

t.test('CVE-2021-25966 (Orchard Core): a changed password leaves the other sessions', async (t) => {
  const site = await Site.start(t, {
    gosesh: { activityTracking: {} },
    routes: (app) =>
      app.post('/password', { config: { session: { required: true } } }, async (request) => {
        const { userId, id } = request.requireSession()
        return { ended: await app.gosesh.deleteUserSessions(userId, { except: id }) }
      }),
  })
  const [own, thief, bo] = [await site.signIn(), await site.signIn(), await site.signIn('bo')]
  t.equal(await site.userOf(thief.cookie), 'ada')
  t.same(JSON.parse((await site.send('POST', '/password', [own.cookie])).body), { ended: 1 })
  await site.app.gosesh.activityTracker?.flush()
  t.equal(await site.userOf(thief.cookie), null)
  t.equal(await site.userOf(own.cookie), 'ada')
  t.equal(await site.userOf(bo.cookie), 'bo')
})

t.test('CVE-2026-33808 (@fastify/express): an address spelt otherwise passes by the guard', async (t) => {
  const routerOptions = {
    ignoreDuplicateSlashes: true,
    ignoreTrailingSlash: true,
    useSemicolonDelimiter: true,
    caseSensitive: false,
  }
  const site = await Site.start(t, { server: { routerOptions } })
  const { cookie } = await site.signIn()
  for (const url of [
    '/me',
    '//me',
    '///me/',
    '/me/',
    '/me;a=b',
    '/me;',
    '/ME',
    '/%6de',
    '/me?x=//',
    '/me;?x',
  ]) {
    t.equal(await site.statusOf('GET', url, cookie), 200, `${url} is the route`)
    t.equal(await site.statusOf('GET', url), 401, `${url} is guarded`)
  }
})
