import t from 'tap'
import type { SessionId } from '../../../lib/index.js'
import { writeInTurns } from '../../../lib/stores/shared/in-turns.js'

function updatesOf(count: number): Map<SessionId, Date> {
  return new Map(Array.from({ length: count }, (_, i) => [`id-${i}` as SessionId, new Date(i)]))
}

t.test('writes a batch so many sessions at a time, each once and in order', async (t) => {
  for (const [count, sizes] of [
    [0, []],
    [1, [1]],
    [3, [3]],
    [4, [3, 1]],
    [6, [3, 3]],
    [8, [3, 3, 2]],
  ] as const) {
    const updates = updatesOf(count)
    const slices: (readonly (readonly [SessionId, Date])[])[] = []
    const moved = await writeInTurns(updates, 3, (slice) => {
      slices.push(slice)
      return slice.length
    })
    t.same(
      slices.map(({ length }) => length),
      sizes,
    )
    t.same(slices.flat(), [...updates])
    t.equal(moved, count)
  }
})

t.test('waits for what writes, and a turn of the event loop after it', async (t) => {
  const events: string[] = []
  await writeInTurns(updatesOf(2), 1, async ([update]) => {
    events.push(`${update?.[0]} begins`)
    setImmediate(() => events.push('somebody else’s turn'))
    await Promise.resolve()
    events.push(`${update?.[0]} ends`)
    return 1
  })
  t.same(events, ['id-0 begins', 'id-0 ends', 'somebody else’s turn', 'id-1 begins', 'id-1 ends'])
})

t.test('where one write fails, the rest is not written', async (t) => {
  let calls = 0
  const failing = writeInTurns(updatesOf(9), 3, async () => {
    if (++calls === 2) throw new Error('disk full')
    return 3
  })
  await t.rejects(failing, { message: 'disk full' })
  t.equal(calls, 2)
})
