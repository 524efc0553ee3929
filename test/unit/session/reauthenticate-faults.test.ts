import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { cookieOf, signIn, whoami } from '../../tools/app.js'
import { confirm, setUp } from './reauthenticate-fixtures.js'

const down = new Error('the store is down')

t.test('a re-authentication whose store fails answers 503, and the old token goes on', async (t) => {
  t.test('before the update', async (t) => {
    const { app, store } = setUp(t)
    const { cookie, session } = await signIn(app)
    let calls = 0
    store.on('updateSession', (proceed) => (++calls === 1 ? Promise.reject(down) : proceed()))
    const response = await confirm(app, cookie, { factors: ['otp'], metadata: { place: 'home' } })
    t.equal(response.statusCode, 503)
    t.equal(response.headers['set-cookie'], undefined)
    t.match(await whoami(app, cookie), { id: session.id, factors: [], metadata: null })
    t.equal((await confirm(app, cookie)).statusCode, 200, 'and all resumes')
  })

  t.test('after the update: it is reverted', async (t) => {
    const { app, store } = setUp(t)
    const { cookie, session } = await signIn(app, { factors: ['pwd'], metadata: { device: 'phone' } })
    let calls = 0
    store.on('updateSession', async (proceed) => {
      const result = await proceed()
      if (++calls === 1) throw down
      return result
    })
    const response = await confirm(app, cookie, { factors: ['otp'], metadata: { place: 'home' } })
    t.equal(response.statusCode, 503)
    t.match(await whoami(app, cookie), {
      authenticatedAt: session.authenticatedAt,
      factors: [{ method: 'pwd' }],
      metadata: { device: 'phone' },
    })
    t.same((await whoami(app, cookie))?.metadata, { device: 'phone' })
  })

  t.test('an update that lands late meets another version', async (t) => {
    const { app, store } = setUp(t, { storeTimeout: 30 })
    const { cookie } = await signIn(app)
    let land = (): void => {}
    let calls = 0
    store.on('updateSession', async (proceed) => {
      if (++calls > 1) return await proceed()
      await new Promise<void>((resolve) => {
        land = resolve
      })
      return await proceed()
    })
    t.equal((await confirm(app, cookie)).statusCode, 503)
    t.ok(await whoami(app, cookie))
    land()
    await delay(5)
    t.ok(await whoami(app, cookie), 'also once it has come')
  })

  t.test('if undoing fails too, that is tried until the store answers', async (t) => {
    const { app, store, logger } = setUp(t)
    const { cookie } = await signIn(app)
    let calls = 0
    store.on('updateSession', async (proceed) => {
      // It lands, and its answer is lost; then nothing is answered for a while.
      if (++calls === 1) await proceed()
      if (calls < 3) throw down
      return await proceed()
    })
    t.equal((await confirm(app, cookie)).statusCode, 503)
    t.equal(await whoami(app, cookie), null, 'until then the old token is no good')
    t.match(logger.lines.filter(({ level }) => level === 'warn').at(-1), {
      message: 'a re-authentication that failed could not be undone, tried again until it is',
    })
    await delay(1_100)
    t.ok(await whoami(app, cookie))
  })

  t.test('a change that came in between stays', async (t) => {
    const { app, store } = setUp(t)
    const { cookie, session } = await signIn(app, { metadata: { device: 'phone' } })
    let calls = 0
    store.on('updateSession', async (proceed) => {
      const result = await proceed()
      if (++calls > 1) return result
      // Another node.
      const { version } = (await store.getSession(session.id)) as { version: number }
      await store.updateSession(session.id, version, { metadata: { device: 'renamed' } })
      throw down
    })
    t.equal((await confirm(app, cookie, { metadata: { place: 'home' } })).statusCode, 503)
    t.same((await whoami(app, cookie))?.metadata, { device: 'renamed' })
  })

  t.test('while the session is deleted between two tries to undo, it stays deleted', async (t) => {
    const { app, store } = setUp(t)
    const { cookie, session } = await signIn(app)
    let calls = 0
    store.on('updateSession', async (proceed) => {
      const result = await proceed()
      if (++calls === 1) throw down
      await store.deleteSession(session.id)
      return result === 'updated' ? 'conflict' : result
    })
    t.equal((await confirm(app, cookie)).statusCode, 503)
    t.equal(await store.getSession(session.id), null)
  })

  t.test('while the session is deleted, it stays deleted', async (t) => {
    const { app, store } = setUp(t)
    const { cookie, session } = await signIn(app)
    store.on('updateSession', async () => {
      await store.deleteSession(session.id)
      throw down
    })
    t.equal((await confirm(app, cookie)).statusCode, 503)
    store.off('updateSession')
    t.equal(await store.getSession(session.id), null)
    t.equal(await whoami(app, cookie), null)
  })
})

t.test('a credential that cannot be written takes the re-authentication back', async (t) => {
  const { app } = setUp(t)
  app.post('/late', async (_request, reply) => {
    const confirming = reply.reauthenticate()
    reply.setCookie = () => {
      throw new Error('no room for a cookie')
    }
    return await confirming
  })
  const { cookie } = await signIn(app)
  t.equal((await app.inject({ method: 'POST', url: '/late', headers: { cookie } })).statusCode, 500)
  t.ok(await whoami(app, cookie))
})

t.test('other nodes’ changes come first: it is made anew, at most five times, then 503', async (t) => {
  const { app, store } = setUp(t)
  const { cookie, session } = await signIn(app)
  let others = 0
  const change = async (): Promise<void> => {
    const { version } = (await store.getSession(session.id)) as { version: number }
    others++
    const original = Object.getPrototypeOf(Object.getPrototypeOf(store)).updateSession
    await original.call(store, session.id, version, { details: null })
  }
  let wanted = 4
  store.on('updateSession', async (proceed) => {
    if (wanted-- > 0) await change()
    return await proceed()
  })
  const response = await confirm(app, cookie)
  t.equal(response.statusCode, 200)
  t.equal(others, 4)
  wanted = 5
  t.equal((await confirm(app, cookieOf(response))).statusCode, 503)
  t.ok(await whoami(app, cookieOf(response)))
})

t.test('details that somebody broke by hand are 503, never a crash and never a sign-out', async (t) => {
  const { app, store } = setUp(t)
  const { cookie, session } = await signIn(app)
  const broken = ['', 'x', '[]', '{}', '{"factors":1}', '{"factors":[1]}', '{"factors":[["otp"]]}']
  for (const details of [...broken, '{"factors":[[1,1]]}', '{"factors":[["otp",9e15]]}']) {
    const { version } = (await store.getSession(session.id)) as { version: number }
    await store.updateSession(session.id, version, { details })
    for (const response of [
      await app.inject({ url: '/me', headers: { cookie } }),
      await confirm(app, cookie, { factors: ['otp'] }),
    ]) {
      t.match(response.json(), { code: 'GOSESH_ERR_STORE_UNAVAILABLE', statusCode: 503 }, details)
      t.notOk(details !== '' && response.body.includes(details))
      t.equal(response.headers['set-cookie'], undefined)
    }
  }
})

t.test('a clock that was ahead and steps back: the next proof counts from now', async (t) => {
  const { app, time } = setUp(t)
  const { cookie } = await signIn(app, { factors: ['pwd', 'otp'] })
  time.now -= 3_600_000
  const confirmed = await confirm(app, cookie, { factors: ['otp'] })
  t.equal(confirmed.statusCode, 200)
  t.ok(await whoami(app, cookieOf(confirmed)))
  const now = new Date(time.now).toISOString()
  t.equal(confirmed.json().authenticatedAt, now)
  t.match(confirmed.json().factors, [{ method: 'pwd' }, { method: 'otp', at: now }])
})

t.test(
  'a client of the store that sends an update twice, and loses the first answer, has made it',
  async (t) => {
    const { app, store } = setUp(t)
    const { cookie } = await signIn(app)
    store.on('updateSession', async (proceed) => {
      await proceed()
      return 'conflict'
    })
    const response = await confirm(app, cookie, { factors: ['otp'] })
    store.off('updateSession')
    t.equal(response.statusCode, 200)
    t.match(await whoami(app, cookieOf(response)), { factors: [{ method: 'otp' }] })
  },
)

t.test('what was read is older than what the conflict shows: the undo is tried again', async (t) => {
  const { app, store } = setUp(t)
  const { cookie, session } = await signIn(app)
  const before = await store.getSession(session.id)
  let calls = 0
  store.on('updateSession', async (proceed) => {
    if (++calls === 1) {
      await proceed()
      // A replica that lags goes on showing what was there before.
      store.on('getSession', async () => before)
      throw down
    }
    return await proceed()
  })
  t.equal((await confirm(app, cookie)).statusCode, 503)
  store.off('getSession')
  t.equal(await whoami(app, cookie), null)
  await delay(1_100)
  t.ok(await whoami(app, cookie))
})

t.test('calls for one session wait for one another within bounded time', async (t) => {
  const { app, store } = setUp(t, { storeTimeout: 50 })
  const { session } = await signIn(app)
  store.hang('updateSession')
  const started = performance.now()
  const results = await Promise.allSettled(
    Array.from({ length: 10 }, (_, i) => app.gosesh.updateMetadata(session.id, { [`key-${i}`]: 'x' })),
  )
  t.ok(performance.now() - started < 500, `${performance.now() - started} ms`)
  for (const result of results) t.match(result, { status: 'rejected', reason: { statusCode: 503 } })
})

t.test('an undo under way when the app closes is waited for', async (t) => {
  const { app, store } = setUp(t)
  const { cookie, session } = await signIn(app)
  let calls = 0
  store.on('updateSession', async (proceed) => {
    if (++calls === 1) {
      await proceed()
      throw down
    }
    await delay(50)
    return await proceed()
  })
  const before = await store.getSession(session.id)
  const confirming = confirm(app, cookie)
  while (calls < 2) await delay(1)
  await app.close()
  await confirming.catch(() => {})
  t.equal((await store.getSession(session.id))?.secretHash, before?.secretHash)
})
