import fc from 'fast-check'
import t from 'tap'
import type { Session, SessionId, SessionRecord } from '../../../lib/index.js'
import {
  extensionBeforeFlush,
  extensionOnRefresh,
  idleDeadlineAt,
  liveSession,
} from '../../../lib/session/lifetime.js'

const start = 1_900_000_000_000

function session(idleTimeout: number | null, absoluteTimeout: number, lastActivity = 0): SessionRecord {
  const absoluteDeadline = new Date(start + absoluteTimeout)
  return {
    id: 'x'.repeat(22) as SessionId,
    secretHash: 'x'.repeat(43),
    version: 1,
    userId: 'ada',
    createdAt: new Date(start),
    authenticatedAt: new Date(start),
    lastActivityAt: new Date(start + lastActivity),
    idleTimeout,
    idleDeadline: idleDeadlineAt(start + lastActivity, idleTimeout, absoluteDeadline),
    absoluteTimeout,
    absoluteDeadline,
    persistent: true,
    deviceBound: false,
    metadata: null,
    details: null,
  }
}

const unlimited = { notBefore: -Infinity, maxAge: Infinity }

/** The session as it stands at the last moment at which it lives, or `null`. */
function active(record: SessionRecord, pending: number | undefined, now = start): Session | null {
  return liveSession(record, pending, now, unlimited)
}

const duration = fc.integer({ min: 1, max: 10_000_000 })
const anySession = fc
  .tuple(fc.option(duration), duration, fc.nat(10_000_000))
  .map(([idle, absolute, activity]) => session(idle, absolute, Math.min(activity, absolute)))

t.test(
  'the idle deadline is the last activity plus the idle timeout, never past the absolute deadline',
  async (t) => {
    t.equal(idleDeadlineAt(start, null, new Date(start + 10)), null)
    t.same(idleDeadlineAt(start, 5, new Date(start + 10)), new Date(start + 5))
    t.same(idleDeadlineAt(start + 8, 5, new Date(start + 10)), new Date(start + 10))
  },
)

t.test('a session lives up to its deadlines and not a millisecond longer', async (t) => {
  t.ok(active(session(5, 10), undefined, start + 4))
  t.equal(active(session(5, 10), undefined, start + 5), null)
  t.ok(active(session(null, 10), undefined, start + 9))
  t.equal(active(session(null, 10), undefined, start + 10), null)
})

t.test('pending activity moves a session forward only', async () => {
  fc.assert(
    fc.property(anySession, fc.integer({ min: -1_000, max: 20_000_000 }), (stored, offset) => {
      const moved = active(stored, start + offset)
      if (moved === null) return stored.absoluteDeadline.getTime() <= start
      return (
        moved.lastActivityAt.getTime() === Math.max(stored.lastActivityAt.getTime(), start + offset) &&
        (moved.idleDeadline?.getTime() ?? 0) >= (stored.idleDeadline?.getTime() ?? 0) &&
        (moved.idleDeadline === null || moved.idleDeadline <= moved.absoluteDeadline)
      )
    }),
  )
})

t.test('a deadline that another node moved further is not taken back by pending activity', async (t) => {
  const stored = { ...session(5, 100), idleDeadline: new Date(start + 50) }
  t.same(active(stored, start + 1)?.idleDeadline, new Date(start + 50))
  t.same(active(stored, start + 48)?.idleDeadline, new Date(start + 53))
})

t.test('a time that is none neither ends a session nor keeps it for ever', async (t) => {
  const none = new Date(Number.NaN)
  for (const broken of [{ absoluteDeadline: none }, { idleDeadline: none }, { authenticatedAt: none }]) {
    t.throws(() => active({ ...session(5, 10), ...broken }, undefined), { message: /no valid times/ })
  }
})

t.test('a visitor has no session', async (t) => {
  t.equal(active({ ...session(5, 10), userId: null }, undefined), null)
})

t.test('an extension is made only where it moves the idle deadline', async (t) => {
  fc.assert(
    fc.property(anySession, fc.nat(20_000_000), duration, (stored, offset, setting) => {
      for (const extend of [extensionBeforeFlush, extensionOnRefresh]) {
        const to = extend(stored, start + offset, setting)
        if (to === null) continue
        if (stored.idleDeadline === null || to.idleDeadline === null) return false
        if (to.idleDeadline <= stored.idleDeadline || to.idleDeadline > stored.absoluteDeadline) return false
        if (to.lastActivityAt.getTime() !== start + offset) return false
      }
      return true
    }),
  )
  t.equal(extensionBeforeFlush(session(10, 10), start + 9, 100), null, 'held by the absolute deadline')
  t.equal(extensionOnRefresh(session(null, 10), start + 9, 1), null, 'no idle limit')
})

t.test('before a flush: only where the stored deadline is nearer than the margin', async (t) => {
  const stored = session(1_000, 100_000)
  t.equal(extensionBeforeFlush(stored, start + 900, 100), null)
  t.same(extensionBeforeFlush(stored, start + 901, 100), {
    idleDeadline: new Date(start + 1_901),
    lastActivityAt: new Date(start + 901),
  })
})

t.test(
  'on refresh: only where the stored activity is older than the interval or a tenth of the idle timeout',
  async (t) => {
    const stored = session(1_000, 100_000)
    t.equal(extensionOnRefresh(stored, start + 50, 50), null)
    t.ok(extensionOnRefresh(stored, start + 51, 50))
    t.equal(extensionOnRefresh(stored, start + 100, 60_000), null)
    t.ok(extensionOnRefresh(stored, start + 101, 60_000))
  },
)
