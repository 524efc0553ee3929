import fc from 'fast-check'
import t from 'tap'
import { type ActivityBatch, ActivityBuffer } from '../../lib/activity/buffer.js'
import type { PendingRecord } from '../../lib/core/pending-activity.js'
import type { SessionId } from '../../lib/index.js'

const ids = ['a', 'b', 'c', 'd', 'e'] as SessionId[]
const [a, b, c] = ids as [SessionId, SessionId, SessionId]

t.test('the newest time stands', async (t) => {
  const buffer = new ActivityBuffer(10)
  for (const at of [5, 9, 7]) t.equal(buffer.record(a, at), true)
  t.equal(buffer.latest(a), 9)
  t.equal(buffer.latest(b), undefined)
  t.equal(buffer.size, 1)
})

t.test('past the bound a new session is refused and a known one is not', async (t) => {
  const buffer = new ActivityBuffer(2)
  t.same(
    [a, b, c].map((id) => buffer.record(id, 1)),
    [true, true, false],
  )
  t.equal(buffer.record(a, 2), true)
  const flight = buffer.flight(10)
  flight.next()
  t.equal(buffer.record(c, 2), false, 'what is in flight counts')
  t.equal(buffer.record(b, 3), true, 'a session in flight is a known one')
  t.equal(buffer.size, 2)
})

t.test('a record no newer than the one in flight adds nothing', async (t) => {
  const buffer = new ActivityBuffer(10)
  buffer.record(a, 5)
  const flight = buffer.flight(10)
  const { value: batch } = flight.next()
  t.equal(buffer.record(a, 5), true)
  buffer.written(batch as ActivityBatch)
  flight.next()
  t.equal(buffer.size, 0)
})

t.test('a batch that is put back does not overwrite what is newer', async (t) => {
  const buffer = new ActivityBuffer(10)
  buffer.record(a, 1)
  buffer.record(b, 1)
  for (const batch of buffer.flight(10)) {
    buffer.record(a, 2)
    t.equal(buffer.latest(a), 2)
    t.equal(buffer.latest(b), 1, 'in flight, still known')
    buffer.putBack(batch)
  }
  t.same([buffer.latest(a), buffer.latest(b), buffer.size], [2, 1, 2])
})

t.test('a forgotten session is neither put back nor pending', async (t) => {
  const buffer = new ActivityBuffer(10)
  for (const id of [a, b, c]) buffer.record(id, 1)
  for (const batch of buffer.flight(10)) {
    buffer.record(b, 2)
    buffer.forget(a)
    buffer.forget(b)
    t.equal(buffer.size, 1)
    buffer.putBack(batch)
  }
  t.same(
    ids.map((id) => buffer.latest(id)),
    [undefined, undefined, 1, undefined, undefined],
  )
})

t.test('a session that is forgotten during a flight is in no later batch of it', async (t) => {
  const buffer = new ActivityBuffer(10)
  for (const id of ids) buffer.record(id, 1)
  const batches: SessionId[][] = []
  for (const batch of buffer.flight(2)) {
    batches.push([...batch.updates.keys()])
    buffer.forget(c)
    buffer.written(batch)
  }
  t.same(batches, [
    ['a', 'b'],
    ['d', 'e'],
  ])
  t.equal(buffer.size, 0)
})

t.test('the ids are those of what waits and of what is in flight', async (t) => {
  const buffer = new ActivityBuffer(10)
  for (const id of [a, b]) buffer.record(id, 1)
  for (const batch of buffer.flight(10)) {
    buffer.record(a, 2)
    t.same(new Set(buffer.ids()), new Set([a, b]))
    for (const id of buffer.ids()) buffer.forget(id)
    t.equal(buffer.size, 0)
    buffer.putBack(batch)
  }
  t.same([buffer.size, buffer.latest(a)], [0, undefined])
})

t.test('what is not settled when a flight ends goes back to waiting', async (t) => {
  const buffer = new ActivityBuffer(10)
  for (const id of ids) buffer.record(id, 1)
  for (const batch of buffer.flight(2)) {
    t.equal(batch.updates.size, 2)
    buffer.written(batch)
    break
  }
  buffer.land()
  t.equal(buffer.size, 3)
  for (const { updates } of buffer.flight(10)) t.same([...updates.keys()], ['c', 'd', 'e'])
})

t.test('a batch holds at most maxBatchSize, and an empty flight has none', async (t) => {
  const buffer = new ActivityBuffer(10)
  t.same([...buffer.flight(2)], [])
  for (const id of ids) buffer.record(id, 1)
  const sizes = []
  for (const batch of buffer.flight(2)) {
    sizes.push(batch.updates.size)
    buffer.written(batch)
  }
  t.same(sizes, [2, 2, 1])
})

t.test('whatever happens in whatever order, nothing is lost and nothing is counted twice', async (t) => {
  const step = fc.record({
    action: fc.constantFrom('find', 'record', 'forget', 'forgetAll', 'next', 'written', 'putBack', 'break'),
    id: fc.constantFrom(...ids),
    at: fc.integer({ min: 1, max: 20 }),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const buffer = new ActivityBuffer(100)
      const model = new Map<SessionId, number>()
      const found = new Map<SessionId, PendingRecord | undefined>()
      let flight: ReturnType<ActivityBuffer['flight']> | null = null
      // One that is written and the next one, which is made meanwhile; beside each, what is not forgotten of it.
      const batches: { batch: ActivityBatch; left: Map<SessionId, number> }[] = []
      for (const { action, id, at } of steps) {
        if (action === 'find') {
          found.set(id, buffer.find(id))
        } else if (action === 'record') {
          if (at % 2 === 0 || !buffer.move(id, at)) buffer.record(id, at, found.get(id))
          model.set(id, Math.max(model.get(id) ?? 0, at))
        } else if (action === 'forget') {
          buffer.forget(id)
          model.delete(id)
          for (const { left } of batches) left.delete(id)
        } else if (action === 'forgetAll') {
          for (const pending of buffer.ids()) buffer.forget(pending)
          model.clear()
          for (const { left } of batches) left.clear()
        } else if (action === 'next' && batches.length < 2) {
          flight ??= buffer.flight(2)
          const { value, done } = flight.next()
          if (!done) {
            const left = new Map(Array.from(value.updates, ([key, date]) => [key, date.getTime()]))
            batches.push({ batch: value, left })
          }
          if (done && batches.length === 0) {
            flight = null
            buffer.land()
          }
        } else if (action === 'written' && batches.length > 0) {
          const [{ batch, left }] = batches.splice(0, 1) as [(typeof batches)[0]]
          buffer.written(batch)
          for (const [key, time] of left) if (model.get(key) === time) model.delete(key)
        } else if (action === 'putBack' && batches.length > 0) {
          const [{ batch }] = batches.splice(0, 1) as [(typeof batches)[0]]
          buffer.putBack(batch)
        } else if (action === 'break' && flight !== null) {
          flight = null
          batches.length = 0
          buffer.land()
        }
        if (buffer.size !== model.size || ids.some((key) => buffer.latest(key) !== model.get(key)))
          return false
        for (const [key, known] of found) {
          const times = [model.get(key), known?.at].filter((time) => time !== undefined)
          const latest = times.length === 0 ? undefined : Math.max(...times)
          if (buffer.latest(key, known) !== latest) return false
        }
      }
      return true
    }),
    { numRuns: 2_000 },
  )
  t.pass('2,000 schedules')
})
