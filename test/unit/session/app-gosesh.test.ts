import t from 'tap'
import { GoseshError, type SessionMetadata } from '../../../lib/index.js'
import { buildApp, signIn, unknownToken, whoami } from '../../tools/app.js'
import { fakeTime } from '../../tools/clock.js'
import { WatchedStore } from '../../tools/store.js'

t.test('app.gosesh', async (t) => {
  t.test('verifyToken counts as activity unless told not to', async (t) => {
    const app = buildApp(t, { activityTracking: {} })
    await app.ready()
    const { token, session } = await app.gosesh.createSession('ada', { metadata: { client: 'cli' } })
    t.match(await app.gosesh.verifyToken(token, { activity: false }), {
      id: session.id,
      metadata: { client: 'cli' },
    })
    t.equal(app.gosesh.activityTracker?.pendingCount, 0)
    t.ok(await app.gosesh.verifyToken(token))
    t.equal(app.gosesh.activityTracker?.pendingCount, 1)
    for (const wrong of ['', 'nonsense', undefined, 7] as string[])
      t.equal(await app.gosesh.verifyToken(wrong), null)
  })

  t.test('getSession finds the live session of an id, and is no activity', async (t) => {
    const store = new WatchedStore()
    const app = buildApp(t, { store, activityTracking: {} })
    await app.ready()
    const { session } = await app.gosesh.createSession('ada')
    t.same(await app.gosesh.getSession(session.id), session)
    t.equal(app.gosesh.activityTracker?.pendingCount, 0)
    store.reset()
    for (const wrong of ['', '../../etc', undefined] as string[])
      t.equal(await app.gosesh.getSession(wrong), null)
    t.same(store.calls, [], 'what is shaped like no id never reaches the store')
  })

  t.test('deleteSession ends one; with userId, only one of that user', async (t) => {
    const app = buildApp(t)
    await app.ready()
    const { session, token } = await app.gosesh.createSession('ada')
    t.equal(await app.gosesh.deleteSession(session.id, { userId: 'bo' }), false)
    await t.rejects(app.gosesh.deleteSession(session.id, { userId: undefined as never }), {
      code: 'GOSESH_ERR_USER_ID',
    })
    t.ok(await app.gosesh.verifyToken(token))
    t.equal(await app.gosesh.deleteSession(session.id, { userId: 'ada' }), true)
    t.equal(await app.gosesh.deleteSession(session.id), false)
    t.equal(await app.gosesh.deleteSession('../../etc', { userId: 'ada' }), false)
    t.equal(await app.gosesh.verifyToken(token), null)
  })

  t.test('deleteUserSessions keeps the one that is excepted', async (t) => {
    const app = buildApp(t)
    await app.ready()
    const [keep] = await Promise.all([1, 2, 3].map(() => app.gosesh.createSession('ada')))
    t.equal(await app.gosesh.deleteUserSessions('ada', { except: keep?.session.id }), 2)
    t.match(await app.gosesh.listUserSessions('ada'), [{ id: keep?.session.id }])
    await t.rejects(app.gosesh.deleteUserSessions('ada', { except: 'x' as never }), {
      code: 'GOSESH_ERR_SESSION_ID',
    })
    await t.rejects(app.gosesh.deleteUserSessions(undefined as never), { code: 'GOSESH_ERR_USER_ID' })
  })

  t.test('deleteSessionsByMetadata ends those that hold all the pairs, and tells of each', async (t) => {
    const app = buildApp(t, { activityTracking: {} })
    await app.ready()
    const ended: unknown[] = []
    app.gosesh.onSessionEnd(({ sessionId, reason }) => ended.push({ sessionId, reason }))
    const [one, two] = [{ device: 'a', oidc_sub: '7' }, { oidc_sub: '7' }]
    const first = await app.gosesh.createSession('ada', { metadata: one })
    const second = await app.gosesh.createSession('ada', { metadata: two })
    await app.gosesh.verifyToken(first.token)
    t.equal(await app.gosesh.deleteSessionsByMetadata({ device: 'a', oidc_sub: '7' }), 1)
    t.same(ended, [{ sessionId: first.session.id, reason: 'signedOut' }])
    t.equal(app.gosesh.activityTracker?.pendingCount, 0)
    t.equal(await app.gosesh.deleteSessionsByMetadata({}), 0)
    for (const wrong of [undefined, null, 'a', { device: undefined }] as never[])
      await t.rejects(app.gosesh.deleteSessionsByMetadata(wrong), { code: 'GOSESH_ERR_METADATA' })
    t.ok(await app.gosesh.verifyToken(second.token))
  })

  t.test('deleteAllSessions ends all, and forgets their activity', async (t) => {
    const app = buildApp(t, { activityTracking: {} })
    await app.ready()
    for (const user of ['ada', 'bo', 'bo']) await app.gosesh.createSession(user)
    const { token } = await app.gosesh.createSession('cy')
    await app.gosesh.verifyToken(token)
    t.equal(await app.gosesh.deleteAllSessions(), 4)
    t.equal(app.gosesh.activityTracker?.pendingCount, 0)
    t.same(await app.gosesh.listUserSessions('bo'), [])
  })

  t.test('deleteAllSessions leaves the activity of a session that begins meanwhile', async (t) => {
    const store = new WatchedStore()
    const app = buildApp(t, { store, activityTracking: {} })
    await app.ready()
    const before = await app.gosesh.createSession('ada')
    await app.gosesh.verifyToken(before.token)
    store.on('deleteAllSessions', async (proceed) => {
      const deleted = await proceed()
      const { token } = await app.gosesh.createSession('ada')
      await app.gosesh.verifyToken(token)
      return deleted
    })
    t.equal(await app.gosesh.deleteAllSessions(), 1)
    t.equal(app.gosesh.activityTracker?.pendingCount, 1)
  })

  t.test(
    'listUserSessions lists live ones, the most recently active first, pending activity included',
    async (t) => {
      const time = fakeTime(t)
      const app = buildApp(t, { activityTracking: { flushInterval: 600_000 } })
      const old = await signIn(app)
      await signIn(app, { idleTimeout: 30_000 })
      await time.advance(60_000)
      const recent = await signIn(app)
      await time.advance(1_000)
      await whoami(app, old.cookie)
      const list = await app.gosesh.listUserSessions('ada')
      t.same(
        list.map(({ id }) => id),
        [old.session.id, recent.session.id],
      )
      t.equal(list[0]?.lastActivityAt.getTime(), time.now())
    },
  )

  t.test('deleteAllSessions has all the time that it takes', async (t) => {
    const time = fakeTime(t)
    const store = new WatchedStore()
    const app = buildApp(t, { store, storeTimeout: 10 })
    await app.ready()
    store.on('deleteAllSessions', () => new Promise((resolve) => setTimeout(resolve, 50, 7)))
    const deleting = app.gosesh.deleteAllSessions()
    await time.advance(60, 10)
    t.equal(await deleting, 7)
    store.fail('deleteAllSessions')
    await t.rejects(app.gosesh.deleteAllSessions(), { code: 'GOSESH_ERR_STORE_UNAVAILABLE' })
  })

  t.test('refuses an unknown or wrong option in any call', async (t) => {
    const app = buildApp(t)
    await app.ready()
    const { session, token } = await app.gosesh.createSession('ada')
    for (const call of [
      () => app.gosesh.deleteSession(session.id, { userID: 'bo' } as object),
      () => app.gosesh.deleteSession(session.id, null as never),
      () => app.gosesh.deleteUserSessions('ada', { excpt: session.id } as object),
      () => app.gosesh.createSession('ada', { idletimeout: 5 } as object),
      () => app.gosesh.verifyToken(token, { activity: 'no' as never }),
    ]) {
      await t.rejects(call() as Promise<unknown>, { code: 'GOSESH_ERR_OPTION' })
    }
    t.ok(await app.gosesh.verifyToken(token), 'and nothing was deleted')
  })

  t.test('upsertUser is idempotent', async (t) => {
    const app = buildApp(t)
    await app.ready()
    const id = await app.gosesh.upsertUser('google|1')
    t.equal(await app.gosesh.upsertUser('google|1'), id)
    t.not(await app.gosesh.upsertUser('google|2'), id)
    await t.rejects(app.gosesh.upsertUser(''), { code: 'GOSESH_ERR_USER_ID' })
  })

  t.test('a store’s own error passes as it is, any other is wrapped with its cause', async (t) => {
    const store = new WatchedStore()
    const app = buildApp(t, { store, storeTimeout: 20 })
    await app.ready()
    const cause = new Error('password authentication failed')
    store.fail('listUserSessions', cause)
    await t.rejects(app.gosesh.listUserSessions('ada'), {
      code: 'GOSESH_ERR_STORE_UNAVAILABLE',
      message: 'The session store is unavailable (listUserSessions)',
      cause,
    })
    store.fail('listUserSessions', new GoseshError('GOSESH_ERR_STORE_SCHEMA'))
    await t.rejects(app.gosesh.listUserSessions('ada'), { code: 'GOSESH_ERR_STORE_SCHEMA' })
    store.on('getSession', async () => undefined)
    t.equal(await app.gosesh.verifyToken(unknownToken), null, 'undefined is as absent as null')
    store.hang('upsertUser')
    await t.rejects(app.gosesh.upsertUser('x'), {
      code: 'GOSESH_ERR_STORE_UNAVAILABLE',
      cause: { message: 'no answer in 20 ms' },
    })
    store.on('upsertUser', () => {
      throw cause
    })
    await t.rejects(app.gosesh.upsertUser('x'), { code: 'GOSESH_ERR_STORE_UNAVAILABLE', cause })
  })
})

t.test('what is wrong with an input is named', async (t) => {
  const app = buildApp(t)
  await app.ready()
  for (const [userId, message] of [
    [42, 'A user id is a string, not the number 42; for a number give String(id)'],
    [42n, 'A user id is a string, not the bigint 42; for a number give String(id)'],
    [undefined, 'A user id is a string, not undefined; for a number give String(id)'],
    [null, 'A user id is a string, not null; for a number give String(id)'],
  ] as const) {
    const expected = { code: 'GOSESH_ERR_USER_ID', statusCode: 500, message }
    await t.rejects(app.gosesh.createSession(userId as never), expected)
  }
  for (const [metadata, statusCode, message] of [
    [{ role: 1 }, 500, /; "role" is number$/],
    [{ role: null }, 500, /; "role" is null$/],
    [['a'], 500, /; it is an array$/],
    ['a', 500, /; it is a string$/],
    [{ name: '\0' }, 400, /; "name" has a NUL or a lone surrogate$/],
    [
      { short: 'a', userAgent: 'x'.repeat(5_000) },
      400,
      /; it has 50\d\d bytes, most of them in "userAgent"$/,
    ],
  ] as const) {
    const expected = { code: 'GOSESH_ERR_METADATA', statusCode, message }
    await t.rejects(app.gosesh.createSession('ada', { metadata: metadata as never }), expected)
  }
})

t.test('metadata of a header that was not sent is left out', async (t) => {
  const app = buildApp(t)
  await app.ready()
  const create = (metadata: Record<string, string | undefined>) =>
    app.gosesh.createSession('ada', { metadata })
  const { session } = await create({ ip: '::1', userAgent: undefined })
  t.same(session.metadata, { ip: '::1' })
  t.same((await create({ userAgent: undefined })).session.metadata, {})
})

t.test('metadata that is handed out or handed in cannot change what is stored', async (t) => {
  const app = buildApp(t)
  await app.ready()
  const metadata: Record<string, string> = { a: '1' }
  const { token } = await app.gosesh.createSession('ada', { metadata })
  metadata.a = '2'
  const session = await app.gosesh.verifyToken(token)
  t.throws(() => Object.assign(session?.metadata as SessionMetadata, { a: '3' }))
  t.same((await app.gosesh.verifyToken(token))?.metadata, { a: '1' })
})
