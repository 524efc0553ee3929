import t, { type Test } from 'tap'
import { type GoseshOptions, MemoryStore, type Session, type SessionEnd } from '../../../lib/index.js'
import { buildApp, signIn, whoami } from '../../tools/app.js'
import { settle, steppingClock } from '../../tools/clock.js'
import { recordingLogger } from '../../tools/logger.js'
import { WatchedStore } from '../../tools/store.js'

async function listeningApp(t: Test, options: GoseshOptions = {}) {
  const app = buildApp(t, options)
  await app.ready()
  const ends: SessionEnd[] = []
  const stop = app.gosesh.onSessionEnd((end) => void ends.push(end))
  const post = (url: string, cookie: string) =>
    app.inject({ method: 'POST', url, headers: { cookie }, body: {} })
  return { app, ends, stop, post }
}

function endOf({ id, userId }: Pick<Session, 'id' | 'userId'>, reason: string): object {
  return { reason, sessionId: id, userId, except: null }
}

t.test('onSessionEnd tells of a session', async (t) => {
  t.test('that was signed out, once', async (t) => {
    const { app, ends, post } = await listeningApp(t)
    const { cookie, session } = await signIn(app)
    await post('/logout', cookie)
    await post('/logout', cookie)
    t.same(ends, [endOf(session, 'signedOut')])
  })

  t.test('that was deleted by its id, with whose it was', async (t) => {
    const { app, ends } = await listeningApp(t)
    const { session } = await signIn(app)
    const other = await signIn(app)
    await app.gosesh.deleteSession(session.id)
    await app.gosesh.deleteSession(other.session.id, { userId: 'ada' })
    await app.gosesh.deleteSession(session.id)
    t.same(ends, [endOf(session, 'signedOut'), endOf(other.session, 'signedOut')])
  })

  t.test('that a sign-in on the same cookie replaced', async (t) => {
    const { app, ends, post } = await listeningApp(t)
    const { cookie, session } = await signIn(app)
    await post('/login', cookie)
    t.same(ends, [endOf(session, 'replaced')])
  })

  t.test('that ended with all of its user’s, but not of the one that was kept', async (t) => {
    const { app, ends, post } = await listeningApp(t)
    const [first, second, third] = [await signIn(app), await signIn(app), await signIn(app)]
    await signIn(app, { user: 'bo' })
    await app.gosesh.deleteUserSessions('ada', { except: third.session.id })
    const sorted = () => ends.splice(0).sort((a, b) => String(a.sessionId).localeCompare(String(b.sessionId)))
    const expected = [first.session, second.session].sort((a, b) => a.id.localeCompare(b.id))
    t.same(
      sorted(),
      expected.map((session) => endOf(session, 'everywhere')),
    )
    await post('/logout-everywhere', third.cookie)
    t.same(sorted(), [endOf(third.session, 'everywhere')])
  })

  t.test('in one event for all, where the store does not list them', async (t) => {
    class StoreThatCannotList extends MemoryStore {
      override listUserSessions = undefined as never
    }
    const { app, ends } = await listeningApp(t, { store: new StoreThatCannotList() })
    const { session } = await signIn(app)
    await signIn(app)
    await app.gosesh.deleteUserSessions('ada', { except: session.id })
    await app.gosesh.deleteUserSessions('ada')
    const all = { reason: 'everywhere', sessionId: null, userId: 'ada' }
    t.same(ends, [
      { ...all, except: session.id },
      { ...all, except: null },
    ])
  })

  t.test('in one event for everybody’s', async (t) => {
    const { app, ends } = await listeningApp(t)
    await signIn(app)
    await app.gosesh.deleteAllSessions()
    t.same(ends, [{ reason: 'all', sessionId: null, userId: null, except: null }])
  })

  t.test('that a sign-in past the limit evicted', async (t) => {
    const { app, ends } = await listeningApp(t, { maxSessionsPerUser: 1, clock: steppingClock() })
    const { session } = await signIn(app)
    await signIn(app)
    t.same(ends, [endOf(session, 'evicted')])
  })

  t.test('that is found expired', async (t) => {
    let now = Date.now()
    const { app, ends } = await listeningApp(t, { clock: { now: () => now }, sweepInterval: null })
    const { cookie, session } = await signIn(app)
    now += 30 * 60_000
    t.equal(await whoami(app, cookie), null)
    t.equal(await app.gosesh.getSession(session.id), null)
    t.same(ends, [endOf(session, 'expired'), endOf(session, 'expired')])
  })
})

t.test('a listener', async (t) => {
  t.test('is told until it is taken back', async (t) => {
    const { app, ends, stop, post } = await listeningApp(t)
    stop()
    stop()
    await post('/logout', (await signIn(app)).cookie)
    t.same(ends, [])
  })

  t.test('that throws is logged, and stops neither the others nor the sign-out', async (t) => {
    const logger = recordingLogger()
    const app = buildApp(t, { logger })
    await app.ready()
    let told = 0
    const thrown = new Error('mistake')
    app.gosesh.onSessionEnd(() => {
      throw thrown
    })
    app.gosesh.onSessionEnd(() => void told++)
    const { cookie } = await signIn(app)
    const response = await app.inject({ method: 'POST', url: '/logout', headers: { cookie } })
    t.equal(response.statusCode, 200)
    t.equal(told, 1)
    t.match(logger.above('info'), [{ level: 'error', details: { err: thrown } }])
  })

  t.test('that rejects is logged, and the process goes on', async (t) => {
    const logger = recordingLogger()
    let now = Date.now()
    const app = buildApp(t, { logger, clock: { now: () => now }, sweepInterval: null })
    await app.ready()
    const thrown = new Error('mistake')
    app.gosesh.onSessionEnd(async () => {
      throw thrown
    })
    const { cookie } = await signIn(app)
    now += 24 * 60 * 60_000
    t.equal(await whoami(app, cookie), null)
    await settle()
    t.match(logger.above('info'), [{ level: 'error', details: { err: thrown } }])
  })

  t.test('is a function', async (t) => {
    const app = buildApp(t)
    await app.ready()
    t.throws(() => app.gosesh.onSessionEnd({} as never), { code: 'GOSESH_ERR_OPTION' })
  })

  t.test('costs no read where there is none', async (t) => {
    const store = new WatchedStore()
    const app = buildApp(t, { store })
    const { session } = await signIn(app)
    store.reset()
    await app.gosesh.deleteSession(session.id)
    await app.gosesh.deleteUserSessions('ada')
    t.same(store.counts, { deleteSession: 1, deleteUserSessions: 1 })
  })
})
