import t from 'tap'
import { signIn, whoami } from '../../tools/app.js'
import { minute, setUp } from './reauthenticate-fixtures.js'

t.test('app.gosesh.updateMetadata', async (t) => {
  t.test('sets keys, removes those that are null, and leaves token, times and id alone', async (t) => {
    const { app, time } = setUp(t)
    const { cookie, session } = await signIn(app, { metadata: { device: 'phone', old: 'x', kept: 'y' } })
    time.now += minute
    const patch = { device: 'Work laptop', old: null, unknown: null, ignored: undefined, added: '' }
    t.equal(await app.gosesh.updateMetadata(session.id, patch), true)
    const { metadata, ...rest } = (await whoami(app, cookie)) as NonNullable<
      Awaited<ReturnType<typeof whoami>>
    >
    t.same(metadata, { device: 'Work laptop', kept: 'y', added: '' })
    const { metadata: _, ...before } = session
    t.match(rest, { ...before, lastActivityAt: String, idleDeadline: String })
  })

  t.test('leaves null where nothing is left', async (t) => {
    const { app } = setUp(t)
    const { session } = await signIn(app, { metadata: { device: 'phone' } })
    await app.gosesh.updateMetadata(session.id, { device: null })
    t.equal((await app.gosesh.getSession(session.id))?.metadata, null)
  })

  t.test('is false for a session that has ended, or that there never was', async (t) => {
    const { app, time } = setUp(t)
    const { session } = await signIn(app)
    time.now += 31 * minute
    for (const id of [session.id, 'x'.repeat(22), 'nonsense']) {
      t.equal(await app.gosesh.updateMetadata(id, { a: 'b' }), false)
    }
  })

  t.test('many at once each take effect', async (t) => {
    const { app } = setUp(t)
    const { session } = await signIn(app)
    const keys = Array.from({ length: 30 }, (_, i) => `key-${i}`)
    const results = await Promise.all(
      keys.map((key) => app.gosesh.updateMetadata(session.id, { [key]: key })),
    )
    t.same(new Set(results), new Set([true]))
    const found = await app.gosesh.getSession(session.id)
    t.same(found?.metadata, Object.fromEntries(keys.map((key) => [key, key])))
  })

  t.test('refuses what is no metadata, and leaves the session as it was', async (t) => {
    const { app } = setUp(t)
    const { session } = await signIn(app, { metadata: { a: 'x'.repeat(3_000) } })
    for (const [patch, statusCode] of [
      [null, 500],
      ['text', 500],
      [['a'], 500],
      [{ a: 1 }, 500],
      [{ a: 'NUL \0' }, 400],
      [{ b: 'x'.repeat(1_500) }, 400],
    ] as const) {
      await t.rejects(app.gosesh.updateMetadata(session.id, patch as never), {
        code: 'GOSESH_ERR_METADATA',
        statusCode,
      })
    }
    t.same((await app.gosesh.getSession(session.id))?.metadata, session.metadata)
  })

  t.test('refuses what gosesh/oauth goes by, and a patch that is huge', async (t) => {
    const { app } = setUp(t)
    const { session } = await signIn(app, { metadata: { oidc_sub: 'ada' } })
    const many = Object.fromEntries(Array.from({ length: 2_000 }, (_, i) => [`key-${i}`, null]))
    for (const [patch, message] of [
      [{ oidc_sub: 'mallory' }, /"oidc_sub" belongs to gosesh\/oauth/],
      [{ oidc_sid: null }, /belongs to gosesh\/oauth/],
      [many, /the patch has \d+ bytes/],
    ] as const) {
      const expected = { code: 'GOSESH_ERR_METADATA', statusCode: 400, message }
      await t.rejects(app.gosesh.updateMetadata(session.id, patch), expected)
    }
    t.same((await app.gosesh.getSession(session.id))?.metadata, { oidc_sub: 'ada' })
  })

  t.test('with userId changes only a session of that user', async (t) => {
    const { app } = setUp(t)
    const { session } = await signIn(app)
    t.equal(await app.gosesh.updateMetadata(session.id, { a: 'b' }, { userId: 'bo' }), false)
    t.equal((await app.gosesh.getSession(session.id))?.metadata, null)
    t.equal(await app.gosesh.updateMetadata(session.id, { a: 'b' }, { userId: 'ada' }), true)
    const undefinedUser = { userId: undefined } as never
    await t.rejects(app.gosesh.updateMetadata(session.id, { a: 'c' }, undefinedUser), {
      code: 'GOSESH_ERR_USER_ID',
    })
    await t.rejects(app.gosesh.updateMetadata(session.id, { a: 'c' }, { user: 'ada' } as never), {
      code: 'GOSESH_ERR_OPTION',
    })
  })

  t.test('503 if the store fails, and nothing is half done', async (t) => {
    const { app, store } = setUp(t)
    const { session } = await signIn(app, { metadata: { a: '1' } })
    store.fail('updateSession')
    await t.rejects(app.gosesh.updateMetadata(session.id, { a: '2', b: '3' }), {
      code: 'GOSESH_ERR_STORE_UNAVAILABLE',
    })
    store.off('updateSession')
    t.same((await app.gosesh.getSession(session.id))?.metadata, { a: '1' })
  })

  t.test('is logged with the keys alone, and published', async (t) => {
    const { app, logger } = setUp(t)
    const { session } = await signIn(app)
    await app.gosesh.updateMetadata(session.id, { device: 'secret name' })
    t.match(logger.lines.at(-1), {
      level: 'info',
      message: 'session metadata changed',
      details: { event: 'gosesh:update-metadata', sessionId: session.id, keys: ['device'] },
    })
    t.notOk(JSON.stringify(logger.lines.at(-1)).includes('secret name'))
  })
})

t.test('app.gosesh.deleteUser', async (t) => {
  t.test('ends every session of the user, and forgets the user', async (t) => {
    const { app, store, logger } = setUp(t)
    const [one, two, other] = [await signIn(app), await signIn(app), await signIn(app, { user: 'bo' })]
    const ended: unknown[] = []
    app.gosesh.onSessionEnd((end) => ended.push(end))
    t.equal(await app.gosesh.deleteUser('ada'), true)
    t.equal(store.counts.deleteUser, 1)
    for (const { cookie } of [one, two]) t.equal(await whoami(app, cookie), null)
    t.ok(await whoami(app, other.cookie))
    t.match(ended, [{ reason: 'everywhere' }, { reason: 'everywhere' }])
    t.match(logger.lines.at(-1), { message: 'user deleted', details: { userId: 'ada' } })
    t.equal(await app.gosesh.deleteUser('ada'), false, 'there is nothing left')
  })

  t.test('leaves the user if the sessions could not be ended', async (t) => {
    const { app, store } = setUp(t)
    await signIn(app)
    store.fail('deleteUserSessions')
    await t.rejects(app.gosesh.deleteUser('ada'), { code: 'GOSESH_ERR_STORE_UNAVAILABLE' })
    t.notOk(store.counts.deleteUser)
  })

  t.test('rejects for what is no user id, and with a store that cannot', async (t) => {
    const { app, store } = setUp(t)
    Object.defineProperty(store, 'deleteUser', { value: undefined })
    await app.ready()
    await t.rejects(app.gosesh.deleteUser(''), { code: 'GOSESH_ERR_USER_ID' })
    await t.rejects(app.gosesh.deleteUser('ada'), { code: 'GOSESH_ERR_STORE_CAPABILITY' })
  })
})
