import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { inspect } from 'node:util'
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { bearerCredential, cookieCredential, type GoseshOptions } from '../../lib/index.js'
import { steppingClock } from '../tools/clock.js'
import { eventually } from '../tools/redis-server.js'
import { type SignedIn, Site } from './site.js'

const channelNames = ['verify', 'sign-in', 'sign-out', 'session-end', 'cross-origin', 'flush', 'sweep'].map(
  (name) => `gosesh:${name}`,
)

/** All that anybody could write down: as text of every kind that shows what is hidden, too. */
class Notes {
  readonly #texts: string[] = []

  add(what: unknown): void {
    this.#texts.push(inspect(what, { depth: 12, showHidden: true, getters: true, maxStringLength: null }))
    this.#texts.push(
      String(JSON.stringify(what, (_key, value) => (value instanceof Error ? asPlain(value) : value))),
    )
  }

  get text(): string {
    return this.#texts.join('\n')
  }

  get count(): number {
    return this.#texts.length
  }
}

/** An error with all that it owns, its stack and its causes, too. */
function asPlain(error: Error): Record<string, unknown> {
  const own = Object.getOwnPropertyNames(error) as (keyof Error)[]
  return Object.fromEntries(own.map((name) => [name, error[name]]))
}

interface Watched {
  readonly site: Site
  readonly notes: Notes
  /** The messages of each channel. */
  readonly published: ReadonlyMap<string, Record<string, unknown>[]>
}

/** A site whose channels, errors and ends of sessions are all noted. */
async function watchedSite(t: Test, options: GoseshOptions = {}): Promise<Watched> {
  const notes = new Notes()
  const published = new Map<string, Record<string, unknown>[]>()
  for (const name of channelNames) {
    const messages: Record<string, unknown>[] = []
    published.set(name, messages)
    const listener = (message: unknown): void => {
      messages.push(message as Record<string, unknown>)
      notes.add(message)
    }
    subscribe(name, listener)
    t.teardown(() => unsubscribe(name, listener))
  }
  const site = await Site.start(t, {
    gosesh: {
      credentials: [bearerCredential(), cookieCredential()],
      bindSessionToLog: true,
      storeTimeout: 50,
      ...options,
    },
    routes: (app) => addTalkativeRoutes(app, notes),
  })
  site.app.gosesh.onSessionEnd((end) => notes.add(end))
  return { site, notes, published }
}

/** What an application may say of itself: sessions in its log, and errors in answers of its own. */
function addTalkativeRoutes(app: FastifyInstance, notes: Notes): void {
  app.get('/talk', async (request, reply) => {
    const { session } = request
    request.log.info({ session, req: request, res: reply }, 'all that Fastify’s serializers show')
    request.log.error(new Error('with the session', { cause: session }))
    notes.add(session)
    notes.add([app.gosesh.policy, app.gosesh.activityTracker, app.gosesh, app.gosesh.activityTracker?.stats])
    return { session, shown: inspect(session) }
  })
  app.get('/twice', async (_request, reply) => {
    await reply.send('sent')
    await reply.signIn('ada').catch((error) => {
      notes.add(error)
      throw error
    })
  })
  app.register(async (inner) => {
    inner.setErrorHandler(async (error, request, reply) => {
      request.log.error({ err: error, session: request.session }, 'an error of the application’s own handler')
      notes.add(error)
      return await reply.code(599).send({ shown: inspect(error, { depth: 12 }), error })
    })
    inner.get('/own', { config: { session: { required: true } } }, async () => 'in')
    inner.post('/own', async (_request, reply) => await reply.signIn('ada'))
  })
}

/** Every way in which a request or a call goes well or wrong, with tokens in it; returns the tokens. */
async function doEverything({ site, notes }: Watched): Promise<string[]> {
  const { app, store } = site
  const tokens: string[] = []
  const enter = async (...args: Parameters<Site['signIn']>): Promise<SignedIn> => {
    const signedIn = await site.signIn(...args)
    tokens.push(signedIn.token)
    notes.add(signedIn.session)
    return signedIn
  }
  const bearer = await app.gosesh.createSession('bo', { metadata: { client: 'cli' } })
  tokens.push(bearer.token)
  notes.add(bearer.session)
  const asBearer = `Authorization: Bearer ${bearer.token}`

  for (const url of ['/whoami', '/me', '/poll', '/health', '/talk', '/own', '/nowhere']) {
    const { cookie } = await enter()
    for (const lines of [[cookie], [asBearer], [cookie, asBearer], [`${cookie}x`], [`${asBearer}, a=b`]]) {
      notes.add((await site.send('GET', url, lines)).body)
    }
  }
  const crossOrigin = 'Origin: https://evil.example'
  const victim = await enter()
  for (const url of ['/act', '/login', '/logout', '/own']) {
    notes.add((await site.send('POST', url, [victim.cookie, crossOrigin])).body)
  }
  await enter('ada', [victim.cookie])
  for (const url of ['/logout', '/logout-everywhere']) {
    const { cookie } = await enter()
    notes.add((await site.send('POST', url, [cookie])).body)
    notes.add((await site.send('POST', url, [cookie])).body)
    notes.add((await site.send('GET', '/me', [cookie])).body)
  }
  await site.send('GET', '/twice', [(await enter()).cookie])
  await failEverything(site, notes, enter, asBearer)
  for (const wrong of [...tokens.map((token) => `${token}x`), tokens[0], undefined]) {
    const calls: Promise<unknown>[] = [
      app.gosesh.verifyToken(wrong as string),
      app.gosesh.createSession('ada', { metadata: { token: wrong as string, n: 1 } as never }),
    ]
    for (const call of calls)
      await call.then(
        (result) => notes.add(result),
        (error) => notes.add(error),
      )
  }
  store.off('getSession')
  await app.gosesh.activityTracker?.flush()
  return tokens
}

/** The store fails, hangs, and says what it was given. */
async function failEverything(
  site: Site,
  notes: Notes,
  enter: (user?: string, lines?: readonly string[]) => Promise<SignedIn>,
  asBearer: string,
): Promise<void> {
  const { app, store } = site
  for (const method of ['getSession', 'createSession', 'deleteSession', 'deleteUserSessions'] as const) {
    for (const fault of ['talk', 'hang'] as const) {
      const { cookie } = await enter()
      if (fault === 'hang') store.hang(method)
      // A driver's error that quotes the statement and its parameters.
      else
        store.on(method, () => {
          const given = store.calls.findLast((call) => call.method === method)
          const cause = new AggregateError([new Error('refused')], 'no connection')
          return Promise.reject(Object.assign(new Error(`${method} ${inspect(given)}`, { cause }), { given }))
        })
      for (const [verb, url] of [
        ['GET', '/me'],
        ['GET', '/own'],
        ['POST', '/login'],
        ['POST', '/own'],
        ['POST', '/logout'],
        ['POST', '/logout-everywhere'],
      ] as const) {
        for (const line of [cookie, asBearer]) notes.add((await site.send(verb, url, [line])).body)
      }
      store.off(method)
    }
  }
  const { cookie } = await enter()
  await site.userOf(cookie)
  store.fail('batchRecordActivity', new Error('the batch is refused'))
  await app.gosesh.activityTracker?.flush().catch((error) => notes.add(error))
  store.off('batchRecordActivity')
}

for (const tracking of ['on', 'off'] as const) {
  t.test(`no token is in a log, an error, an event or an answer, tracking ${tracking}`, async (t) => {
    const flushErrors: unknown[] = []
    const onFlushError = (error: unknown): void => void flushErrors.push(error)
    const activityTracking = tracking === 'on' && { flushInterval: 600_000, onFlushError }
    const watched = await watchedSite(t, { activityTracking, maxSessionsPerUser: 5 })
    const { site, notes, published } = watched
    const tokens = await doEverything(watched)
    for (const error of flushErrors) notes.add(error)
    await site.app.close()

    const log = site.logged.join('')
    t.ok(tokens.length > 20, `${tokens.length} tokens were given out`)
    t.ok(site.logged.length > 300, `${site.logged.length} lines were logged`)
    t.ok(notes.count > 300, `${notes.count} notes were taken`)
    for (const token of tokens) {
      const secret = token.slice(23)
      // No part of it either that would make the rest guessable.
      for (const part of [token, secret, secret.slice(0, 12), secret.slice(-12)]) {
        t.notOk(log.includes(part), 'not in the log')
        t.notOk(notes.text.includes(part), 'nor in an error, an event, a session or an answer')
      }
    }
    // The search would find one: each token's id is there.
    t.match(log, /"sessionId":"[\w-]{22}"/)
    for (const level of tracking === 'on' ? [20, 30, 40, 50] : [30, 50]) {
      t.ok(log.includes(`"level":${level}`), `something at level ${level}`)
    }
    for (const [name, messages] of published) {
      const isQuiet = name === 'gosesh:sweep' || (name === 'gosesh:flush' && tracking === 'off')
      t.equal(messages.length > 0, !isQuiet, `${name} published ${messages.length}`)
    }
    t.equal(flushErrors.length > 0, tracking === 'on')
  })
}

t.test('a sweep that fails, and one that does not, tell of no token', async (t) => {
  const { site, notes, published } = await watchedSite(t, { sweepInterval: 10 })
  const { token } = await site.signIn()
  const sweeps = published.get('gosesh:sweep') ?? []
  await eventually('a sweep', async () => sweeps.some(({ error }) => error === null))
  site.store.fail('deleteExpiredSessions')
  await eventually('a failure', async () => sweeps.some(({ error }) => error !== null))
  t.notOk(site.logged.join('').includes(token))
  t.notOk(notes.text.includes(token))
})

t.test('what the application is given to hold shows no token, however it is looked at', async (t) => {
  const { site } = await watchedSite(t, { activityTracking: {} })
  const { token, cookie } = await site.signIn()
  await site.userOf(cookie)
  const notes = new Notes()
  const { gosesh } = site.app
  notes.add([gosesh.policy, await gosesh.listUserSessions('ada'), await gosesh.verifyToken(token)])
  for (const held of [gosesh, gosesh.activityTracker, bearerCredential(), cookieCredential()]) {
    notes.add(Object.fromEntries(Object.entries(held ?? {})))
  }
  t.notOk(inspect(gosesh, { depth: 20, showHidden: true, getters: true }).includes(token))
  t.notOk(notes.text.includes(token))
})

t.test('security events are at info, each under its stable name, with whose session it is', async (t) => {
  const { site } = await watchedSite(t, { maxSessionsPerUser: 1, clock: steppingClock() })
  const first = await site.signIn()
  const second = await site.signIn()
  await site.send('POST', '/act', [second.cookie, 'Origin: https://evil.example'])
  await site.send('POST', '/login', ['Sec-Fetch-Site: cross-site'])
  await site.send('POST', '/logout-everywhere', [second.cookie])
  const { session } = await site.app.gosesh.createSession('bo')
  const events = site.logged.map((line) => JSON.parse(line)).filter(({ event }) => event !== undefined)
  const reqId = /^req-/
  const ofAda = { level: 30, userId: 'ada' }
  const refused = { level: 30, event: 'gosesh:cross-origin', method: 'POST', reqId }
  t.match(events, [
    { ...ofAda, event: 'gosesh:sign-in', sessionId: first.session.id, credential: 'cookie', reqId },
    { ...ofAda, event: 'gosesh:session-end', reason: 'evicted', sessionId: first.session.id },
    { ...ofAda, event: 'gosesh:sign-in', sessionId: second.session.id, credential: 'cookie', reqId },
    { ...refused, userId: 'ada', sessionId: second.session.id, origin: 'https://evil.example' },
    { ...refused, userId: null, sessionId: null, origin: null },
    { ...ofAda, event: 'gosesh:sign-out', sessionId: second.session.id, everywhere: true, reqId },
    { level: 30, event: 'gosesh:sign-in', userId: 'bo', sessionId: session.id, credential: null },
  ])
  t.equal(events.length, 7)
})

t.test('what a client sends cannot forge a line of the log', async (t) => {
  const { site } = await watchedSite(t)
  const forged = 'ada"}\n{"level":30,"event":"gosesh:sign-in","userId":"admin"}'
  await site.signIn(forged)
  await site.send('POST', '/act', [
    (await site.signIn()).cookie,
    'Origin: https://x","event":"gosesh:sign-in',
  ])
  const events = site.logged.flatMap((line) => line.trim().split('\n')).map((line) => JSON.parse(line))
  const signIns = events.filter(({ event }) => event === 'gosesh:sign-in')
  t.same(
    signIns.map(({ userId }) => userId),
    [forged, 'ada'],
  )
})
