import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import t, { type Test } from 'tap'
import { cookieCredential } from '../../../lib/index.js'
import { buildApp, cookieOf, signIn, unknownToken, whoami } from '../../tools/app.js'
import { fakeTime } from '../../tools/clock.js'
import { WatchedStore } from '../../tools/store.js'

/** What is published to a channel during the test. */
function published(t: Test, channel: string): Record<string, unknown>[] {
  const messages: Record<string, unknown>[] = []
  const listener = (message: unknown): void => void messages.push(message as Record<string, unknown>)
  subscribe(channel, listener)
  t.teardown(() => unsubscribe(channel, listener))
  return messages
}

t.test('diagnostics channels', async (t) => {
  t.test('gosesh:verify says how each token was judged', async (t) => {
    const messages = published(t, 'gosesh:verify')
    let now = Date.now()
    const store = new WatchedStore()
    const app = buildApp(t, { store, clock: { now: () => now }, sweepInterval: null })
    const { cookie, session } = await signIn(app)
    await whoami(app, cookie)
    await whoami(app, `__Host-session=${unknownToken}`)
    await whoami(app, `__Host-session=${session.id}.${'x'.repeat(43)}`)
    store.fail('getSession')
    await app.inject({ url: '/me', headers: { cookie } })
    store.off('getSession')
    now += 30 * 60_000
    await whoami(app, cookie)
    await whoami(app, '__Host-session=nonsense')
    // An answer at hand that is no session throws before there is a promise.
    store.on('getSession', () => ({}) as never)
    await app.inject({ url: '/me', headers: { cookie } })
    const durationMs = Number
    t.match(messages, [
      { outcome: 'verified', sessionId: session.id, userId: 'ada', durationMs, error: null },
      { outcome: 'absent', userId: null, error: null },
      { outcome: 'mismatch', sessionId: session.id, userId: null, error: null },
      { outcome: 'failed', sessionId: session.id, error: { code: 'GOSESH_ERR_STORE_UNAVAILABLE' } },
      { outcome: 'expired', sessionId: session.id, error: null },
      { outcome: 'failed', sessionId: session.id, error: { code: 'GOSESH_ERR_STORE_UNAVAILABLE' } },
    ])
    t.equal(messages.length, 6)
  })

  t.test('an error of a message is one, whatever was thrown', async (t) => {
    const signIns = published(t, 'gosesh:sign-in')
    const thrown: unknown = 'a text'
    const credential = cookieCredential()
    const write = () => {
      throw thrown
    }
    const app = buildApp(t, { credentials: [{ ...credential, write }] })
    await app.inject({ method: 'POST', url: '/login', body: {} })
    const [{ error } = { error: null }] = signIns as { error: Error | null }[]
    t.type(error, Error)
    t.equal(error?.cause, thrown)
  })

  t.test('gosesh:sign-in and gosesh:sign-out, with what failed', async (t) => {
    const signIns = published(t, 'gosesh:sign-in')
    const signOuts = published(t, 'gosesh:sign-out')
    const ends = published(t, 'gosesh:session-end')
    const store = new WatchedStore()
    const app = buildApp(t, { store })
    const { cookie, session } = await signIn(app)
    store.fail('createSession')
    await app.inject({ method: 'POST', url: '/login', body: {} })
    store.fail('deleteUserSessions')
    const logout = () => app.inject({ method: 'POST', url: '/logout-everywhere', headers: { cookie } })
    await logout()
    store.off('deleteUserSessions')
    await logout()
    const failure = { code: 'GOSESH_ERR_STORE_UNAVAILABLE' }
    t.match(signIns, [
      { sessionId: session.id, userId: 'ada', credential: 'cookie', error: null, durationMs: Number },
      { sessionId: null, userId: 'ada', credential: 'cookie', error: failure },
    ])
    t.match(signOuts, [
      { sessionId: session.id, userId: 'ada', everywhere: true, error: failure, durationMs: Number },
      { sessionId: session.id, everywhere: true, error: null },
    ])
    t.match(ends, [{ reason: 'everywhere', sessionId: session.id, userId: 'ada' }])
  })

  t.test('gosesh:sign-in, gosesh:reauthenticate and gosesh:update-metadata say who and what', async (t) => {
    const channels = ['gosesh:sign-in', 'gosesh:reauthenticate', 'gosesh:update-metadata']
    const [signIns, confirmations, updates] = channels.map((name) => published(t, name))
    const store = new WatchedStore()
    const app = buildApp(t, { store })
    const userAgent = `Firefox ${'x'.repeat(600)}`
    const headers = { 'user-agent': userAgent }
    const login = await app.inject({ method: 'POST', url: '/login', headers, body: {} })
    const { id } = login.json()
    const client = { address: '127.0.0.1', userAgent: userAgent.slice(0, 500) }
    t.match(signIns, [{ sessionId: id, userId: 'ada', credential: 'cookie', ...client, error: null }])
    const confirm = () =>
      app.inject({
        method: 'POST',
        url: '/confirm',
        headers: { ...headers, cookie: cookieOf(login) },
        body: { factors: ['otp'] },
      })
    store.fail('updateSession')
    await confirm()
    await t.rejects(app.gosesh.updateMetadata(id, { a: 'b' }))
    store.off('updateSession')
    await app.gosesh.updateMetadata(id, { a: 'b' })
    await confirm()
    const error = { code: 'GOSESH_ERR_STORE_UNAVAILABLE' }
    const by = { sessionId: id, userId: 'ada', factors: ['otp'], ...client, durationMs: Number }
    t.match(confirmations, [
      { ...by, error },
      { ...by, error: null },
    ])
    t.match(updates, [
      { sessionId: id, keys: ['a'], durationMs: Number, error },
      { sessionId: id, keys: ['a'], error: null },
    ])
  })

  t.test('gosesh:cross-origin', async (t) => {
    const messages = published(t, 'gosesh:cross-origin')
    const app = buildApp(t)
    const headers = { origin: 'https://evil.example' }
    await app.inject({ method: 'POST', url: '/login', headers, body: {} })
    t.same(messages, [{ sessionId: null, userId: null, method: 'POST', origin: 'https://evil.example' }])
  })

  t.test('gosesh:flush says what became of each batch', async (t) => {
    const messages = published(t, 'gosesh:flush')
    const store = new WatchedStore()
    const app = buildApp(t, { store, activityTracking: {} })
    await whoami(app, (await signIn(app)).cookie)
    store.fail('batchRecordActivity')
    await t.rejects(app.gosesh.activityTracker?.flush() ?? Promise.resolve())
    store.off('batchRecordActivity')
    await app.gosesh.activityTracker?.flush()
    t.match(messages, [
      { batchSize: 1, updatedCount: 0, durationMs: Number, error: { code: 'GOSESH_ERR_FLUSH' } },
      { batchSize: 1, updatedCount: Number, durationMs: Number, error: null },
    ])
  })

  t.test('gosesh:sweep says what became of each sweep', async (t) => {
    const messages = published(t, 'gosesh:sweep')
    const time = fakeTime(t)
    const store = new WatchedStore()
    const app = buildApp(t, { store, sweepInterval: 600_000 })
    await signIn(app, { idleTimeout: 1_000 })
    await time.advance(600_000, 10_000)
    store.fail('deleteExpiredSessions')
    await time.advance(600_000, 10_000)
    t.match(messages, [
      { deletedCount: 1, durationMs: Number, error: null },
      { deletedCount: 0, error: { code: 'GOSESH_ERR_STORE_UNAVAILABLE' } },
    ])
  })
})
