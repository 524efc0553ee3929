import t from 'tap'
import { SessionCache } from '../../../lib/cache/session-cache.js'
import type { SessionId, SessionRecord } from '../../../lib/index.js'

const settings = { maxStaleness: 2_000, maxEntryAge: 300_000, maxSessions: 4 }

function idOf(name: string): SessionId {
  return name.padEnd(22, '-') as SessionId
}

function recordOf(id: SessionId, userId: string | null = 'ada'): SessionRecord {
  const at = new Date(0)
  return {
    id,
    secretHash: 'hash',
    version: 1,
    userId,
    createdAt: at,
    lastActivityAt: at,
    authenticatedAt: at,
    idleTimeout: null,
    idleDeadline: null,
    absoluteTimeout: 1_000,
    absoluteDeadline: at,
    persistent: true,
    deviceBound: false,
    metadata: null,
    details: null,
  }
}

/** A cache whose clocks stand still until they are moved; it is proven at 0. */
function cacheAt(given: Partial<typeof settings> = {}) {
  const clocks = { monotonic: 0, wall: 1_000_000 }
  const cache = new SessionCache(
    { ...settings, ...given },
    { monotonic: () => clocks.monotonic, wall: () => clocks.wall },
  )
  const pass = (ms: number): void => {
    clocks.monotonic += ms
    clocks.wall += ms
  }
  const load = (name: string): void => {
    const id = idOf(name)
    cache.endLoad(cache.beginLoad(id), recordOf(id))
  }
  const has = (name: string): boolean => cache.get(idOf(name)) !== null
  const prove = (): void => void cache.apply([], cache.now())
  prove()
  return { cache, clocks, pass, load, has, prove }
}

t.test('the lease', async (t) => {
  t.test('runs out maxStaleness after the last poll began, at use', async (t) => {
    const { pass, load, has, prove } = cacheAt()
    load('a')
    pass(1_999)
    t.ok(has('a'))
    pass(1)
    t.notOk(has('a'))
    prove()
    t.ok(has('a'), 'what was kept is good again: the poll brought all that happened meanwhile')
  })

  t.test('is there only once a poll has succeeded', async (t) => {
    const cache = new SessionCache(settings)
    const id = idOf('a')
    cache.endLoad(cache.beginLoad(id), recordOf(id))
    t.equal(cache.get(id), null)
    t.equal(cache.stats.provenAgeMs, null)
    cache.apply([], cache.now())
    t.ok(cache.get(id))
    t.ok(Number(cache.stats.provenAgeMs) < 1_000)
  })

  t.test('is void if the wall clock and the monotonic one disagree, until the next poll', async (t) => {
    for (const jump of [-201, 201]) {
      const { clocks, load, has, prove } = cacheAt()
      load('a')
      clocks.wall += jump > 0 ? 200 : -200
      t.ok(has('a'))
      clocks.wall += jump > 0 ? 1 : -1
      t.notOk(has('a'))
      prove()
      t.ok(has('a'))
    }
  })
})

t.test('a load is not kept', async (t) => {
  const { cache, has } = cacheAt()
  const id = idOf('a')

  t.test('if its session ends meanwhile, and never again after that', async (t) => {
    const load = cache.beginLoad(id)
    t.same(cache.apply([{ id, ended: true }], cache.now()), [id])
    cache.endLoad(load, recordOf(id))
    t.notOk(has('a'))
    cache.endLoad(cache.beginLoad(id), recordOf(id))
    t.notOk(has('a'), 'as a replica that lags behind may have it')
    t.same(cache.apply([{ id, ended: true }], cache.now()), [], 'an end that comes twice is told once')
  })

  t.test('if its session changes meanwhile; one that begins after that is', async (t) => {
    const changed = idOf('changed')
    const first = cache.beginLoad(changed)
    const second = cache.beginLoad(changed)
    t.same(cache.apply([{ id: changed, ended: false }], cache.now()), [])
    const third = cache.beginLoad(changed)
    cache.endLoad(first, recordOf(changed))
    t.notOk(has('changed'))
    cache.endLoad(third, recordOf(changed))
    t.ok(has('changed'))
    cache.drop(changed)
    cache.endLoad(second, recordOf(changed))
    t.notOk(has('changed'))
  })

  t.test('if the log could not tell meanwhile, of whatever session', async (t) => {
    const other = idOf('other')
    const load = cache.beginLoad(other)
    cache.apply(null, cache.now())
    const next = cache.beginLoad(other)
    cache.endLoad(load, recordOf(other))
    t.notOk(has('other'))
    cache.endLoad(next, recordOf(other))
    t.ok(has('other'))
  })

  t.test('if there is no session, or only a visitor', async (t) => {
    const visitor = idOf('visitor')
    cache.endLoad(cache.beginLoad(visitor), recordOf(visitor, null))
    t.notOk(has('visitor'))
    cache.endLoad(cache.beginLoad(visitor), null)
    t.notOk(has('visitor'))
  })
})

t.test('what is kept', async (t) => {
  t.test('goes with its end, its change and the log', async (t) => {
    const { cache, load, has } = cacheAt()
    for (const entries of [[{ id: idOf('a'), ended: true }], [{ id: idOf('b'), ended: false }], null]) {
      load('b')
      if (entries?.[0]?.ended) load('a')
      cache.apply(entries, cache.now())
      t.notOk(has(entries?.[0]?.ended ? 'a' : 'b'))
    }
    t.equal(cache.stats.size, 0)
  })

  t.test('is read again at maxEntryAge, and leaves the memory', async (t) => {
    const { cache, pass, load, has, prove } = cacheAt({ maxEntryAge: 1_000 })
    load('a')
    pass(999)
    prove()
    t.ok(has('a'))
    pass(1)
    t.notOk(has('a'))
    t.equal(cache.stats.size, 1)
    pass(500)
    prove()
    t.equal(cache.stats.size, 0)
  })

  t.test('is at most maxSessions, the latest ones', async (t) => {
    for (const maxSessions of [1, 2, 3, 4, 5]) {
      const { cache, load, has } = cacheAt({ maxSessions })
      for (let i = 0; i < 20; i++) {
        load(`s${i}`)
        load(`s${i}`)
        t.ok(has(`s${i}`))
        t.ok(cache.stats.size <= maxSessions, `${cache.stats.size} of ${maxSessions}`)
      }
    }
    const { cache, load, has } = cacheAt({ maxSessions: 0 })
    load('a')
    t.notOk(has('a'))
    t.equal(cache.stats.size, 0)
  })

  t.test('shares no date with whoever reads it', async (t) => {
    const { cache } = cacheAt()
    const id = idOf('a')
    const record = recordOf(id)
    cache.endLoad(cache.beginLoad(id), record)
    record.authenticatedAt.setTime(9)
    record.createdAt.setTime(9)
    t.equal(cache.get(id)?.record.authenticatedAt.getTime(), 0)
    t.equal(cache.get(id)?.record.createdAt.getTime(), 0)
  })

  t.test('keeps the activity of this node when it is read again', async (t) => {
    const { cache, load } = cacheAt()
    load('a')
    const cached = cache.get(idOf('a'))
    if (cached !== null) cached.activeAt = 7
    load('a')
    t.equal(cache.get(idOf('a'))?.activeAt, 7)
  })
})
