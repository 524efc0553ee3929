import fc from 'fast-check'
import t from 'tap'
import { ActivityBuffer } from '../../../lib/activity/buffer.js'
import type { SessionId } from '../../../lib/index.js'

const ids = ['a', 'b', 'c', 'd', 'e'] as SessionId[]
const [a, b, c] = ids as [SessionId, SessionId, SessionId]

t.test('the newest time stands', async (t) => {
  const buffer = new ActivityBuffer(10, 0)
  for (const at of [5, 9, 7]) t.equal(buffer.record(a, at), true)
  t.equal(buffer.latest(a), 9)
  t.equal(buffer.latest(b), undefined)
  t.equal(buffer.size, 1)
})

t.test(
  'times are as they were recorded, before and long after the time from which they are counted',
  async (t) => {
    const since = Date.parse('2026-01-01T00:00:00Z')
    const buffer = new ActivityBuffer(10, since)
    for (const at of [0, since - 1, since, since + 1, since + 2 ** 31, Date.parse('2126-01-01T00:00:00Z')]) {
      t.equal(buffer.record(a, at), true)
      t.equal(buffer.latest(a), at)
    }
    buffer.record(a, since)
    t.strictSame([...buffer.take()], [[a, Date.parse('2126-01-01T00:00:00Z') - since]])
  },
)

t.test('past the bound a new session is refused and a known one is not', async (t) => {
  const buffer = new ActivityBuffer(2, 0)
  t.same(
    [a, b, c].map((id) => buffer.record(id, 1)),
    [true, true, false],
  )
  t.equal(buffer.record(a, 2), true)
  buffer.take()
  t.equal(buffer.record(c, 2), false, 'what a flush has taken counts')
  t.equal(buffer.record(b, 3), true, 'and a session in it is a known one')
  t.equal(buffer.size, 2)
  buffer.written([a])
  t.equal(buffer.record(c, 3), true, 'what is written makes room')
})

t.test('only a session that waits is moved', async (t) => {
  const buffer = new ActivityBuffer(10, 0)
  t.equal(buffer.move(a, 1), false)
  buffer.record(a, 1)
  t.equal(buffer.move(a, 3), true)
  t.equal(buffer.move(a, 2), true)
  t.equal(buffer.latest(a), 3)
  buffer.take()
  t.equal(buffer.move(a, 4), false)
  t.equal(buffer.latest(a), 3)
})

t.test('a record no newer than the one that a flush has taken adds nothing', async (t) => {
  const buffer = new ActivityBuffer(10, 0)
  buffer.record(a, 5)
  buffer.take()
  t.equal(buffer.record(a, 5), true)
  buffer.written([a])
  t.equal(buffer.size, 0)
})

t.test('what is not written goes back to waiting, and does not overwrite what is newer', async (t) => {
  const buffer = new ActivityBuffer(10, 0)
  buffer.record(a, 1)
  buffer.record(b, 1)
  buffer.take()
  buffer.record(a, 2)
  t.equal(buffer.latest(a), 2)
  t.equal(buffer.latest(b), 1, 'taken, still known')
  buffer.finish()
  t.same([buffer.latest(a), buffer.latest(b), buffer.size], [2, 1, 2])
  t.same(
    [...buffer.take()],
    [
      [a, 2],
      [b, 1],
    ],
  )
})

t.test('what is recorded during a flush waits for the next one, also if all is written', async (t) => {
  const buffer = new ActivityBuffer(10, 0)
  buffer.record(a, 1)
  const taken = buffer.take()
  buffer.record(a, 2)
  buffer.record(b, 2)
  buffer.written(taken.keys())
  t.equal(buffer.size, 2)
  buffer.finish()
  t.same(
    [...buffer.take()],
    [
      [a, 2],
      [b, 2],
    ],
  )
})

t.test('a forgotten session does not come back and is not pending', async (t) => {
  const buffer = new ActivityBuffer(10, 0)
  for (const id of [a, b, c]) buffer.record(id, 1)
  const taken = buffer.take()
  buffer.record(b, 2)
  buffer.forget(a)
  buffer.forget(b)
  t.same([...taken.keys()], [c], 'nor is it in a later batch of the flush')
  t.equal(buffer.size, 1)
  buffer.finish()
  t.same(
    ids.map((id) => buffer.latest(id)),
    [undefined, undefined, 1, undefined, undefined],
  )
})

t.test('the ids are those of what waits and of what a flush has taken', async (t) => {
  const buffer = new ActivityBuffer(10, 0)
  for (const id of [a, b]) buffer.record(id, 1)
  buffer.take()
  buffer.record(a, 2)
  t.same(new Set(buffer.ids()), new Set([a, b]))
  for (const id of buffer.ids()) buffer.forget(id)
  t.equal(buffer.size, 0)
  buffer.finish()
  t.same([buffer.size, buffer.latest(a)], [0, undefined])
})

t.test('whatever happens in whatever order, nothing is lost and nothing is counted twice', async (t) => {
  const step = fc.record({
    action: fc.constantFrom('record', 'move', 'forget', 'forgetAll', 'take', 'written', 'finish'),
    id: fc.constantFrom(...ids),
    at: fc.integer({ min: 1, max: 20 }),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const since = 7
      const buffer = new ActivityBuffer(100, since)
      const model = new Map<SessionId, number>()
      let taken: ReadonlyMap<SessionId, number> | null = null
      for (const { action, id, at } of steps) {
        if (action === 'record' || (action === 'move' && buffer.move(id, at))) {
          buffer.record(id, at)
          model.set(id, Math.max(model.get(id) ?? 0, at))
        } else if (action === 'forget') {
          buffer.forget(id)
          model.delete(id)
        } else if (action === 'forgetAll') {
          for (const pending of buffer.ids()) buffer.forget(pending)
          model.clear()
        } else if (action === 'take' && taken === null) {
          taken = buffer.take()
          if ([...taken].some(([key, time]) => model.get(key) !== since + time) || taken.size !== model.size)
            return false
        } else if (action === 'written' && taken !== null) {
          // Some of what is left, in the order in which a flush goes through it.
          const batch = [...taken].slice(0, 1 + (at % 3))
          buffer.written(batch.map(([key]) => key))
          for (const [key, time] of batch) if (model.get(key) === since + time) model.delete(key)
        } else if (action === 'finish' && taken !== null) {
          taken = null
          buffer.finish()
        }
        if (buffer.size !== model.size || ids.some((key) => buffer.latest(key) !== model.get(key)))
          return false
      }
      return true
    }),
    { numRuns: 2_000 },
  )
  t.pass('2,000 schedules')
})
