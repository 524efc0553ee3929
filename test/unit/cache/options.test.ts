import t from 'tap'
import { MemoryStore } from '../../../lib/index.js'
import { buildApp } from '../../tools/app.js'
import { LoggedStore } from '../../tools/logged-store.js'

t.test('sessionCache has defaults, and app.gosesh.policy shows it', async (t) => {
  const standard = { maxStaleness: 2_000, pollInterval: 100, maxSessions: 100_000, maxEntryAge: 300_000 }
  for (const [sessionCache, shown] of [
    [undefined, null],
    [false, null],
    [{}, standard],
    [{ maxSessions: 0 }, { ...standard, maxSessions: 0 }],
    [{ maxStaleness: 500 }, { ...standard, maxStaleness: 500 }],
    [
      { maxStaleness: 400, pollInterval: undefined },
      { ...standard, maxStaleness: 400 },
    ],
  ] as const) {
    const app = buildApp(t, { store: new LoggedStore(), sessionCache })
    await app.ready()
    t.same(app.gosesh.policy.sessionCache, shown)
  }
})

t.test('a wrong one fails start-up, and says what would be right', async (t) => {
  for (const [sessionCache, message] of [
    [
      true,
      'Option sessionCache is true; expected an object, where {} turns the cache on with its defaults, or false',
    ],
    [null, 'Option sessionCache is null; expected an object'],
    [{ ttl: 5 }, /^Option sessionCache.ttl is 5; expected no such option; known are maxStaleness, /],
    [{ maxSessions: -1 }, 'Option sessionCache.maxSessions is -1; expected a whole number, 0 or more'],
    [{ maxEntryAge: 0 }, /^Option sessionCache.maxEntryAge is 0; expected a whole number of milliseconds/],
    [
      { maxStaleness: 399 },
      'Option sessionCache.maxStaleness is 399; expected at least 4 × pollInterval (400)',
    ],
    [
      { pollInterval: 501 },
      'Option sessionCache.maxStaleness is 2000; expected at least 4 × pollInterval (2004)',
    ],
  ] as const) {
    const app = buildApp(t, { store: new LoggedStore(), sessionCache: sessionCache as never })
    await t.rejects(Promise.resolve(app.ready()), { code: 'GOSESH_ERR_OPTION', message })
  }
})

t.test('a store that cannot do it fails start-up', async (t) => {
  const cluster = Object.assign(new MemoryStore(), { isCluster: true, readRevocations: undefined })
  for (const [store, code, message] of [
    [
      new MemoryStore(),
      'GOSESH_ERR_STORE_CAPABILITY',
      'The option sessionCache needs a store with the method readRevocations',
    ],
    [
      cluster,
      'GOSESH_ERR_OPTION',
      /^Option sessionCache is \{ maxStaleness: 2000, .* \}; expected false on a Redis Cluster, which keeps no log of revocations$/,
    ],
  ] as const) {
    const app = buildApp(t, { store, sessionCache: {} })
    await t.rejects(Promise.resolve(app.ready()), { code, message })
  }
})

t.test('config.session.cache', async (t) => {
  for (const [session, message] of [
    [{ cache: 'yes' }, "Option config.session.cache is 'yes'; expected true or false"],
    [
      { cache: true, signedInWithin: 1_000 },
      'Option config.session.cache is true; expected false, as signedInWithin, factors or deviceBound is given',
    ],
  ] as const) {
    const app = buildApp(t)
    await app.after()
    t.throws(() => app.get('/x', { config: { session: session as never } }, async () => ({})), {
      code: 'GOSESH_ERR_OPTION',
      message,
    })
  }
  const app = buildApp(t)
  await app.after()
  app.get('/x', { config: { session: { cache: false, factors: ['otp'] } } }, async () => ({}))
})
