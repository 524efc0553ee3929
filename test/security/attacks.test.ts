import { createHash, randomBytes } from 'node:crypto'
import t, { type Test } from 'tap'
import { bearerCredential, cookieCredential, type SessionMetadata } from '../../lib/index.js'
import { Site, type SiteOptions, setCookies } from './site.js'

const minute = 60_000
const hour = 60 * minute

function cookieOf(token: string): string {
  return `Cookie: __Host-session=${token}`
}

function bearerOf(token: string): string {
  return `Authorization: Bearer ${token}`
}

/** A site whose time stands still until it is moved. */
async function clockedSite(t: Test, options: SiteOptions = {}) {
  let now = Date.parse('2030-01-01T00:00:00Z')
  const clock = { now: () => now }
  const site = await Site.start(t, { ...options, gosesh: { ...options.gosesh, clock } })
  return {
    site,
    pass(ms: number) {
      now += ms
    },
  }
}

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
      t.match(token, /^[\w-]{43}$/)
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

t.test('keys of prototypes', async (t) => {
  const names = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'valueOf']

  t.test('as user ids are users like others', async (t) => {
    const site = await Site.start(t, { gosesh: { activityTracking: {} } })
    const held = await Promise.all(names.map((name) => site.app.gosesh.createSession(name)))
    for (const [index, name] of names.entries()) {
      const cookie = cookieOf(held[index]?.token ?? '')
      t.equal(await site.userOf(cookie), name)
      t.equal((await site.app.gosesh.listUserSessions(name)).length, 1)
      t.equal((await site.send('POST', '/logout-everywhere', [cookie])).status, 200)
      t.equal(await site.userOf(cookie), null)
      const [next] = held.slice(index + 1)
      if (next) t.ok(await site.app.gosesh.verifyToken(next.token), 'and nobody else is signed out')
    }
    t.same(await site.app.gosesh.listUserSessions('nobody'), [])
  })

  t.test('as metadata are kept as they are, and change no object', async (t) => {
    const text = '{"__proto__":"a","constructor":"b","toString":"c"}'
    const site = await Site.start(t, {
      routes: (app) =>
        app.post('/login/text', async (_request, reply) =>
          reply.signIn('ada', { metadata: JSON.parse(text) as SessionMetadata }),
        ),
    })
    const response = await site.send('POST', '/login/text')
    const token = setCookies(response)[0]?.pair.split('=')[1] ?? ''
    const session = await site.app.gosesh.verifyToken(token)
    t.equal(JSON.stringify(session?.metadata), text)
    t.same(Object.keys({}), [])
    t.equal(typeof {}.toString, 'function')
    t.equal(Object.getPrototypeOf(session?.metadata), Object.prototype)
  })

  t.test('as cookie names are no session, and may be the name of one', async (t) => {
    const site = await Site.start(t)
    const { token } = await site.signIn()
    const header = `Cookie: ${names.map((name) => `${name}=${token}`).join('; ')}`
    t.equal(await site.userOf(header), null)
    for (const name of ['__proto__', 'constructor']) {
      const named = await Site.start(t, { gosesh: { credentials: [cookieCredential({ name })] } })
      const [set] = setCookies(await named.post('/login', {}))
      t.equal(await named.userOf(`Cookie: ${set?.pair}`), 'ada')
      for (const cookie of ['Cookie:', 'Cookie: a=b', `Cookie: ${name}`]) {
        t.equal(await named.userOf(cookie), null, `${name} in ${cookie}`)
      }
    }
  })

  t.test('in a query, a body or a header claim nothing', async (t) => {
    const site = await Site.start(t)
    const claim = '{"session":{"userId":"admin"},"userId":"admin"}'
    t.equal(
      (await site.send('GET', `/whoami?__proto__=${encodeURIComponent(claim)}`)).body,
      '{"session":null}',
    )
    t.equal(await site.userOf(`__proto__: ${claim}`, `session: ${claim}`), null)
    const poisoned = await site.send(
      'POST',
      '/act',
      ['Content-Type: application/json'],
      `{"__proto__":${claim},"constructor":{"prototype":${claim}}}`,
    )
    t.equal(poisoned.status, 400)
    t.equal(await site.userOf(), null)
  })
})

t.test('what is too large', async (t) => {
  t.test('headers are refused by the server, and one below its limit is anonymous', async (t) => {
    const site = await Site.start(t)
    t.equal(
      (await site.connect(t).send(site.compose('GET', '/me', [`Cookie: ${'x'.repeat(20_000)}`])))?.status,
      431,
    )
    site.store.reset()
    for (const value of ['x'.repeat(15_000), '%41'.repeat(5_000), `"${'A'.repeat(43)}"`.repeat(300)]) {
      t.equal(await site.userOf(`Cookie: __Host-session=${value}`), null)
      t.equal(await site.userOf(`Authorization: Bearer ${value}`), null)
    }
    t.same(site.store.counts, {})
  })

  t.test('a thousand cookies hide none', async (t) => {
    const site = await Site.start(t)
    const { token } = await site.signIn()
    const many = Array.from({ length: 1_000 }, (_, index) => `c${index}=v`).join('; ')
    t.equal(await site.userOf(`Cookie: ${many}; __Host-session=${token}`), 'ada')
    t.equal(await site.userOf(`Cookie: ${'; '.repeat(5_000)}__Host-session=${token}`), 'ada')
  })

  t.test('a user id is refused with 400, and metadata with its code; neither leaves a session', async (t) => {
    const site = await Site.start(t)
    for (const user of ['u'.repeat(1_001), '🚀'.repeat(1_001), 'u'.repeat(900_000)]) {
      const response = await site.post('/login', { user })
      t.match(JSON.parse(response.body), { statusCode: 400, code: 'GOSESH_ERR_USER_ID' })
      t.same(setCookies(response), [])
    }
    for (const metadata of [
      { a: 'x'.repeat(4_096) },
      { ['k'.repeat(4_096)]: '' },
      { a: '€'.repeat(1_400) },
    ]) {
      const response = await site.post('/login', { metadata })
      t.match(JSON.parse(response.body), { code: 'GOSESH_ERR_METADATA' })
      t.same(setCookies(response), [])
    }
    t.equal((await site.post('/login', { user: 'u'.repeat(2_000_000) })).status, 413)
    t.same(site.store.counts, {})
    t.equal(
      (await site.post('/login', { user: '🚀'.repeat(1_000), metadata: { a: 'x'.repeat(4_000) } })).status,
      200,
    )
  })
})

t.test('guessing', async (t) => {
  t.test('the store is asked for a hash, so how it compares tells nothing of a token', async (t) => {
    const site = await Site.start(t)
    const { token, session, cookie } = await site.signIn()
    site.store.reset()
    await site.userOf(cookie)
    const hashed = createHash('sha256').update(token).digest('base64url')
    t.same(site.store.calls, [{ method: 'getSession', args: [hashed] }])
    t.equal(session.id, hashed)
    const near = `${token.slice(0, 42)}${token.endsWith('A') ? 'E' : 'A'}`
    site.store.reset()
    t.equal(await site.userOf(cookieOf(near)), null)
    const asked = String(site.store.calls[0]?.args[0])
    const alike = [...asked].filter((character, index) => character === hashed.charAt(index)).length
    t.ok(alike < 15, `a token one character away has ${alike} of 43 characters of the hash in common`)
  })

  t.test('ended, expired, unknown and malformed ones are answered alike', async (t) => {
    const { site, pass } = await clockedSite(t)
    const expired = await site.signIn('ada', [], { idleTimeout: null, absoluteTimeout: minute })
    const ended = await site.signIn('ada')
    await site.send('POST', '/logout', [ended.cookie])
    pass(minute)
    const tried = [
      expired.cookie,
      ended.cookie,
      cookieOf(randomBytes(32).toString('base64url')),
      cookieOf('nonsense'),
      'Cookie: a=b',
    ]
    const answers = []
    for (const cookie of tried) {
      const { status, headers, body } = await site.send('GET', '/me', [cookie])
      answers.push({ status, body, headers: [...headers].filter(([name]) => name !== 'date') })
    }
    t.equal(answers[0]?.status, 401)
    for (const answer of answers) t.same(answer, answers[0])
  })

  t.test('the id of a session, which is shown and logged, is no token', async (t) => {
    const site = await Site.start(t, { gosesh: { credentials: [bearerCredential(), cookieCredential()] } })
    const { session } = await site.signIn()
    for (const line of [cookieOf(session.id), bearerOf(session.id)]) t.equal(await site.userOf(line), null)
    await site.send('POST', '/logout', [cookieOf(session.id)])
    await site.send('POST', '/logout-everywhere', [cookieOf(session.id)])
    await site.post('/login', { user: 'eve' }, [cookieOf(session.id)])
    t.ok(await site.app.gosesh.getSession(session.id), 'and ends nothing')
  })
})

t.test('login CSRF: a page of another site signs nobody in, nor out', async (t) => {
  const site = await Site.start(t)
  const victim = await site.signIn('victim')
  for (const headers of [
    ['Origin: https://evil.example'],
    ['Sec-Fetch-Site: cross-site'],
    ['Sec-Fetch-Site: same-site', `Origin: http://${site.host}`],
    ['Origin: null'],
  ]) {
    // SameSite keeps the cookie back; a browser without it does not.
    for (const lines of [headers, [...headers, victim.cookie]]) {
      site.store.reset()
      const response = await site.post('/login', { user: 'attacker' }, lines)
      t.match(JSON.parse(response.body), { statusCode: 403, code: 'GOSESH_ERR_CROSS_ORIGIN' })
      t.same(setCookies(response), [])
      t.notOk(site.store.counts.createSession)
      const out = await site.send('POST', '/logout-everywhere', lines)
      t.same(setCookies(out), [])
    }
    t.equal(await site.userOf(victim.cookie), 'victim')
  }
  t.same(await site.app.gosesh.listUserSessions('attacker'), [])
})

t.test('cookie tossing: what a sibling domain can set', async (t) => {
  t.test('is not the session cookie, whose prefix a browser holds to this host', async (t) => {
    const site = await Site.start(t)
    const { response } = await site.signIn()
    const [set] = setCookies(response)
    t.match(set?.pair, /^__Host-session=/)
    t.ok(
      ['Path=/', 'HttpOnly', 'Secure', 'SameSite=Lax'].every((attribute) =>
        set?.attributes.includes(attribute),
      ),
    )
    t.notOk(set?.attributes.some((attribute) => attribute.startsWith('Domain')))
    t.throws(() => cookieCredential({ domain: 'example.com' }), { code: 'GOSESH_ERR_OPTION' })
    t.throws(() => cookieCredential({ path: '/app' }), { code: 'GOSESH_ERR_OPTION' })
    t.throws(() => cookieCredential({ secure: false }), { code: 'GOSESH_ERR_OPTION' })
  })

  t.test('is not taken for it, however its name is spelt, and beside it changes nothing', async (t) => {
    const site = await Site.start(t)
    const [victim, attacker] = [await site.signIn('victim'), await site.signIn('attacker')]
    for (const name of [
      'session',
      '__host-session',
      '__HOST-session',
      '__Secure-session',
      '\xa0__Host-session',
      '\xa0\xa0__Host-session\xa0',
      '\x85__Host-session',
      '\xe2\x80\x80__Host-session',
      '\xef\xbb\xbf__Host-session',
      '%5F_Host-session',
      '..Host-session',
      '=__Host-session',
      '',
    ]) {
      const tossed = `${name}=${attacker.token}`
      t.equal(await site.userOf(`Cookie: ${tossed}`), null, name)
      t.equal(await site.userOf(`Cookie: ${tossed}; __Host-session=${victim.token}`), 'victim', name)
      t.equal(await site.userOf(`Cookie: __Host-session=${victim.token}; ${tossed}`), 'victim', name)
    }
  })

  t.test('is not ended by a sign-in or a sign-out of the victim, whose own session is', async (t) => {
    const site = await Site.start(t)
    const [victim, attacker] = [await site.signIn('victim'), await site.signIn('attacker')]
    await site.send('POST', '/logout', [`Cookie: session=${attacker.token}; __Host-session=${victim.token}`])
    t.equal(await site.userOf(victim.cookie), null)
    t.equal(await site.userOf(attacker.cookie), 'attacker')
  })
})

t.test('a stale cookie beside a valid bearer', async (t) => {
  const [bearer, cookie] = [bearerCredential(), cookieCredential()]

  t.test('changes nothing where the bearer comes first', async (t) => {
    const site = await Site.start(t, { gosesh: { credentials: [bearer, cookie] } })
    const stale = await site.signIn('stale')
    await site.send('POST', '/logout', [stale.cookie])
    const { token } = await site.app.gosesh.createSession('ada')
    t.equal(await site.userOf(stale.cookie, bearerOf(token)), 'ada')
    const live = await site.signIn('bo')
    t.equal(await site.userOf(live.cookie, bearerOf(token)), 'ada', 'nor does a good cookie')
    const headers = [stale.cookie, bearerOf(token), 'Sec-Fetch-Site: cross-site']
    t.equal((await site.send('POST', '/act', headers)).status, 200, 'no browser sends a bearer by itself')
    await site.send('POST', '/logout', [live.cookie, bearerOf(token)])
    t.equal(await site.userOf(bearerOf(token)), null)
    t.equal(await site.userOf(live.cookie), 'bo', 'the session of the request ended, and no other')
  })

  t.test('shadows it where the cookie comes first, and is never mixed with it', async (t) => {
    const site = await Site.start(t, { gosesh: { credentials: [cookie, bearer] } })
    const stale = await site.signIn('stale')
    await site.send('POST', '/logout', [stale.cookie])
    const { token } = await site.app.gosesh.createSession('ada')
    t.equal(await site.userOf(stale.cookie, bearerOf(token)), null)
    t.equal(await site.userOf(cookieOf('malformed'), bearerOf(token)), 'ada')
  })
})
