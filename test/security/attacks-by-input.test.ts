import { createHash, randomBytes } from 'node:crypto'
import t from 'tap'
import { bearerCredential, cookieCredential, type SessionMetadata } from '../../lib/index.js'
import { bearerOf, clockedSite, cookieOf, minute } from './attacks-fixtures.js'
import { Site, setCookies } from './site.js'

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
  t.test('the store is asked for an id, and never sees a secret', async (t) => {
    const site = await Site.start(t)
    const { token, session, cookie } = await site.signIn()
    const secret = token.slice(23)
    for (const { args } of site.store.calls) t.notOk(JSON.stringify(args).includes(secret))
    site.store.reset()
    await site.userOf(cookie)
    t.same(site.store.calls, [{ method: 'getSession', args: [session.id] }])
    site.store.reset()
    t.equal(await site.userOf(cookieOf(`${session.id}.${'A'.repeat(43)}`)), null)
    t.same(site.store.calls, [{ method: 'getSession', args: [session.id] }], 'a guess is compared here')
    const record = await site.store.getSession(session.id)
    const hashed = createHash('sha256').update(`session:${secret}`).digest('base64url')
    t.equal(record?.secretHash, hashed)
    t.equal(await site.userOf(cookieOf(`${session.id}.${hashed}`)), null, 'and the hash is no secret')
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
