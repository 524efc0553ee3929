import { randomBytes } from 'node:crypto'
import t from 'tap'
import { bearerCredential, cookieCredential } from '../../lib/index.js'
import { bearerOf, clockedSite, cookieOf, minute } from './attacks-fixtures.js'
import { Site, setCookies } from './site.js'

const hour = 60 * minute

t.test('session fixation', async (t) => {
  t.test('a token that was planted before a sign-in is never adopted', async (t) => {
    const site = await Site.start(t)
    const planted = randomBytes(32).toString('base64url')
    const victim = await site.signIn('victim', [cookieOf(planted)])
    t.not(victim.token, planted)
    t.equal(await site.userOf(cookieOf(planted)), null)
    t.equal(await site.userOf(victim.cookie), 'victim')
  })

  t.test('a session of the attacker’s own that was planted ends with the sign-in', async (t) => {
    const site = await Site.start(t)
    const attacker = await site.signIn('attacker')
    const victim = await site.signIn('victim', [attacker.cookie])
    t.not(victim.token, attacker.token)
    t.equal(await site.userOf(attacker.cookie), null)
    t.equal(await site.userOf(victim.cookie), 'victim')
  })

  t.test('nothing of what it held goes over to the new one', async (t) => {
    const site = await Site.start(t)
    const attacker = await site.signIn('attacker', [], { metadata: { csrf: 'known to the attacker' } })
    const victim = await site.signIn('victim', [attacker.cookie])
    t.equal(victim.session.metadata, null)
    t.not(victim.session.id, attacker.session.id)
  })

  t.test('a token counts in no URL, body or other header', async (t) => {
    const site = await Site.start(t)
    const { token } = await site.signIn()
    for (const url of [`/whoami?session=${token}`, `/whoami?__Host-session=${token}&access_token=${token}`]) {
      const { body } = await site.send('GET', url)
      t.same(JSON.parse(body), { session: null }, url)
    }
    for (const header of ['X-Session', 'Session-Id', 'X-Auth-Token', 'Cookie2', 'Set-Cookie']) {
      t.equal(await site.userOf(`${header}: __Host-session=${token}`), null, header)
      t.equal(await site.userOf(`${header}: ${token}`), null, header)
    }
    const body = { access_token: token, '__Host-session': token }
    t.same(JSON.parse((await site.post('/act', body)).body), { user: null })
  })

  t.test('each sign-in has a token of its own, also the second of one browser', async (t) => {
    const site = await Site.start(t)
    const tokens = new Set<string>()
    let lines: string[] = []
    for (let i = 0; i < 50; i++) {
      const { token, cookie } = await site.signIn('ada', lines)
      tokens.add(token)
      lines = [cookie]
    }
    t.equal(tokens.size, 50)
    for (const token of tokens) {
      t.match(token, /^[\w-]{22}\.[\w-]{43}$/)
      t.equal(await site.userOf(cookieOf(token)), lines[0] === cookieOf(token) ? 'ada' : null)
    }
  })
})

t.test('a token is good no longer', async (t) => {
  const site = await Site.start(t, {
    gosesh: { credentials: [bearerCredential(), cookieCredential()], activityTracking: {} },
  })
  const ends: Record<string, (held: { token: string; cookie: string; id: string }) => Promise<unknown>> = {
    'after sign-out': ({ cookie }) => site.send('POST', '/logout', [cookie]),
    'after sign-out as a bearer': ({ token }) => site.send('POST', '/logout', [bearerOf(token)]),
    'after sign-out everywhere': ({ cookie }) => site.send('POST', '/logout-everywhere', [cookie]),
    'after sign-out everywhere on another device': async () => {
      const other = await site.signIn()
      await site.send('POST', '/logout-everywhere', [other.cookie])
    },
    'after another sign-in of the browser': ({ cookie }) => site.signIn('bo', [cookie]),
    'after its deletion by id': ({ id }) => site.app.gosesh.deleteSession(id),
    'after the deletion of all of the user’s': () => site.app.gosesh.deleteUserSessions('ada'),
    'after the end of all': () => site.app.gosesh.deleteAllSessions(),
  }
  for (const [name, end] of Object.entries(ends)) {
    const { token, cookie, session } = await site.signIn()
    t.equal(await site.userOf(cookie), 'ada', `${name}: good before`)
    await end({ token, cookie, id: session.id })
    // Pending activity is written, and a second try comes after it.
    await site.app.gosesh.activityTracker?.flush()
    for (const line of [cookie, bearerOf(token), cookie]) {
      t.equal(await site.userOf(line), null, name)
      t.equal(await site.statusOf('GET', '/me', line), 401, name)
    }
    t.equal(await site.app.gosesh.verifyToken(token), null, name)
    t.equal((await site.send('POST', '/logout', [cookie])).status, 200, 'signing out once more does no harm')
  }
})

t.test('a cookie that a client keeps past its Max-Age', async (t) => {
  t.test('is good no longer than its session', async (t) => {
    const { site, pass } = await clockedSite(t, {
      gosesh: { credentials: [cookieCredential({ idleTimeout: null, absoluteTimeout: hour })] },
    })
    const { cookie, response } = await site.signIn()
    t.ok(setCookies(response)[0]?.attributes.includes('Max-Age=3600'))
    pass(hour - 1)
    t.equal(await site.userOf(cookie), 'ada')
    pass(1)
    t.equal(await site.userOf(cookie), null)
    t.equal(await site.statusOf('GET', '/me', cookie), 401)
  })

  t.test('is good no longer than its idle timeout, which no request of another client moves', async (t) => {
    const { site, pass } = await clockedSite(t)
    const { cookie } = await site.signIn()
    const other = await site.signIn()
    pass(20 * minute)
    t.equal(await site.userOf(other.cookie), 'ada')
    pass(10 * minute)
    t.equal(await site.userOf(cookie), null)
    t.equal(await site.userOf(other.cookie), 'ada')
  })

  t.test('gains nothing by attributes that the client adds', async (t) => {
    const { site, pass } = await clockedSite(t)
    const { cookie } = await site.signIn('ada', [], { idleTimeout: minute, absoluteTimeout: minute })
    const edited = `${cookie}; Max-Age=99999999; Expires=Fri, 31 Dec 9999 23:59:59 GMT; absoluteDeadline=9999`
    t.equal(await site.userOf(edited), 'ada')
    pass(minute)
    t.equal(await site.userOf(edited), null)
  })

  t.test('asked for by the client, is no longer than the application allows', async (t) => {
    const { site } = await clockedSite(t, { gosesh: { maxAge: hour } })
    const { session, response } = await site.signIn('ada', [], {
      idleTimeout: null,
      absoluteTimeout: 300 * hour,
    })
    t.equal(Date.parse(String(session.absoluteDeadline)) - Date.parse(String(session.createdAt)), hour)
    t.ok(setCookies(response)[0]?.attributes.includes('Max-Age=3600'))
  })
})

t.test('header splitting', async (t) => {
  const split = 'ada\r\nSet-Cookie: __Host-session=planted\r\n\r\n<script>'

  t.test('a user id and metadata never reach a header', async (t) => {
    const site = await Site.start(t)
    const { response, session } = await site.signIn(split, [], { metadata: { [split]: split } })
    t.equal(session.userId, split)
    t.equal(setCookies(response).length, 1)
    t.notMatch(JSON.stringify([...response.headers]), /planted/)
  })

  t.test('what a request carries never reaches a header of the answer', async (t) => {
    const site = await Site.start(t, {
      gosesh: { credentials: [bearerCredential(), cookieCredential()], clearSiteData: ['cache'] },
    })
    const encoded = encodeURIComponent(split)
    for (const lines of [[`Cookie: __Host-session=${encoded}`], [`Authorization: Bearer ${encoded}`]]) {
      for (const [method, url] of [
        ['GET', `/me?next=${encoded}`],
        ['POST', '/logout'],
        ['POST', '/login'],
      ] as const) {
        const { headers, status } = await site.send(method, url, lines)
        t.ok(status < 500)
        t.notMatch(JSON.stringify([...headers]), /planted/)
      }
    }
  })

  t.test('an option that would, is refused at start-up', async (t) => {
    for (const options of [
      { name: 'a\r\nb' },
      { name: 'a=b' },
      { name: 'session', path: '/\r\nSet-Cookie: a=b' },
      { name: 'session', path: '/; Domain=example.com' },
      { name: 'session', domain: 'a\r\nb' },
      { name: 'session', domain: 'a; Path=/' },
    ]) {
      t.throws(() => cookieCredential(options), { code: 'GOSESH_ERR_OPTION' }, JSON.stringify(options))
    }
  })
})

t.test('duplicates', async (t) => {
  const credentials = [bearerCredential(), cookieCredential()]

  t.test('of two cookies the first decides, whatever the second is, and in whichever header', async (t) => {
    const site = await Site.start(t)
    const [ada, bo] = [await site.signIn('ada'), await site.signIn('bo')]
    const [a, b] = [ada, bo].map(({ token }) => `__Host-session=${token}`)
    for (const lines of [
      [`Cookie: ${a}; ${b}`],
      [`Cookie: ${a}`, `Cookie: ${b}`],
      [`cookie: ${a};${b};${b}`],
    ]) {
      t.equal(await site.userOf(...lines), 'ada', lines.join())
    }
    t.equal(await site.userOf(`Cookie: __Host-session=; ${a}`), null)
    site.store.reset()
    t.equal(await site.userOf(`Cookie: __Host-session=x; ${a}`), null)
    t.same(site.store.counts, {}, 'a malformed one is asked for nowhere, and what follows it neither')
  })

  t.test('of two Authorization headers neither counts', async (t) => {
    const site = await Site.start(t, { gosesh: { credentials } })
    const { token } = await site.app.gosesh.createSession('ada')
    t.equal(await site.userOf(bearerOf(token)), 'ada')
    for (const second of [bearerOf(token), 'Authorization: Basic YTpi', 'authorization:']) {
      t.equal(await site.userOf(bearerOf(token), second), null, second)
    }
  })

  t.test('a sign-out ends the session that the request was in, and no other', async (t) => {
    const site = await Site.start(t)
    const [ada, bo] = [await site.signIn('ada'), await site.signIn('bo')]
    await site.send('POST', '/logout', [`${ada.cookie}; __Host-session=${bo.token}`])
    t.equal(await site.userOf(ada.cookie), null)
    t.equal(await site.userOf(bo.cookie), 'bo')
  })
})
