import { setTimeout as wait } from 'node:timers/promises'
import type { PostgresStore } from '../../lib/stores/postgres/index.js'
import type { SqliteStore } from '../../lib/stores/sqlite/index.js'
import { answerCalls, argument } from '../harness/program.js'
import { idOf } from '../harness/seed.js'
import { openSeededStore, type SeededStore, type SeededStoreSettings } from '../harness/seeded-store.js'

const {
  store: opened,
  seed,
  execute,
  close,
} = (await openSeededStore(argument<SeededStoreSettings>())) as Required<SeededStore>
const store = opened as PostgresStore | SqliteStore
const batchSize = 1_000
let total = 0

/** How long the work takes, and how long a session that stays has to wait for the store meanwhile. */
async function timed(work: () => Promise<unknown>): Promise<{ ms: number; longestMs: number }> {
  const id = idOf(total)
  await seed(total, total + 1)
  let done = false
  let longestMs = 0
  const probe = async (): Promise<void> => {
    while (!done) {
      const began = performance.now()
      await store.getSession(id)
      await store.batchRecordActivity(new Map([[id, new Date()]]))
      longestMs = Math.max(longestMs, performance.now() - began)
      await wait(1)
    }
  }
  const probing = probe()
  const began = performance.now()
  await work()
  const ms = performance.now() - began
  done = true
  await probing
  return { ms, longestMs }
}

answerCalls({
  async seed(count: number, dataFor: number) {
    total = count
    await seed(0, count)
    await execute(`UPDATE gosesh_sessions SET user_id = 'many'
      WHERE id IN (SELECT id FROM gosesh_sessions LIMIT ${Math.ceil(count / 100)})`)
    if (dataFor === 0) return
    await execute(`INSERT INTO gosesh_session_data (session_id, key, value)
      SELECT id, key, '"${'x'.repeat(100)}"'
      FROM (SELECT id, row_number() OVER () AS place FROM gosesh_sessions) AS s,
        (SELECT 'cart' AS key UNION ALL SELECT 'notice' UNION ALL SELECT 'step') AS k
      WHERE place % ${dataFor} = 0`)
  },
  /** As the sweeper of the plugin does it, in batches, with a turn of the event loop between them. */
  sweepAll: () =>
    timed(async () => {
      const afterAll = new Date(Date.now() + 3_600_000)
      for (;;) {
        const deleted = await store.deleteExpiredSessions(afterAll, batchSize)
        if (deleted < batchSize) return
        await wait(0)
      }
    }),
  deleteOfUser: () => timed(() => store.deleteUserSessions('many')),
  deleteAll: () => timed(() => store.deleteAllSessions()),
  empty: () => store.deleteAllSessions(),
  close,
})
