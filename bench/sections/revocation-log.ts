import pg from 'pg'
import type { SessionId } from '../../lib/index.js'
import { PostgresStore } from '../../lib/stores/postgres/index.js'
import { idOf, seedPostgres } from '../harness/seed.js'
import { postgresServer, withCleanup } from '../harness/servers.js'
import { median, ratios } from '../harness/statistics.js'
import { type Section, showCount, showSpread } from '../report/result.js'

const connections = 12

/** How many deletions a second, by as many connections at once as the pool has. */
async function deletionsPerSecond(store: PostgresStore, ids: readonly SessionId[]): Promise<number> {
  let next = 0
  const lane = async (): Promise<void> => {
    for (let id = ids[next++]; id !== undefined; id = ids[next++]) await store.deleteSession(id)
  }
  const began = performance.now()
  await Promise.all(Array.from({ length: connections }, lane))
  return (ids.length * 1_000) / (performance.now() - began)
}

export const revocationLog: Section = {
  title: 'The log of revocations in PostgreSQL',
  async run({ quick }) {
    const [rounds, perRound] = quick ? [4, 5_000] : [12, 20_000]
    const bare: number[] = []
    const logged: number[] = []
    await withCleanup(async (cleanup) => {
      const server = await postgresServer(cleanup)
      const pool = new pg.Pool({ ...server.connection, max: connections })
      cleanup.add(() => pool.end())
      const store = new PostgresStore(pool)
      await store.migrate()
      for (let round = 0; round < 2 * rounds; round++) {
        const results = round % 2 === 0 ? bare : logged
        const action = round % 2 === 0 ? 'DISABLE' : 'ENABLE'
        await pool.query(`ALTER TABLE gosesh_sessions ${action} TRIGGER USER`)
        const from = round * perRound
        await seedPostgres(pool, from, from + perRound)
        const ids = Array.from({ length: perRound }, (_, i) => idOf(from + i))
        results.push(await deletionsPerSecond(store, ids))
      }
    })
    const ratio = ratios(logged, bare)
    return {
      tables: [
        {
          title: `Deletions a second, ${connections} at once`,
          columns: ['without the log', 'with it', 'with beside without'],
          rows: [
            [showCount(Math.round(median(bare))), showCount(Math.round(median(logged))), showSpread(ratio)],
          ],
        },
      ],
      goals: [
        {
          measure: 'deletions a second on PostgreSQL with the log of revocations, beside without',
          goal: { atLeast: 0.8 },
          measured: ratio,
        },
      ],
      notes: ['Without: the triggers are disabled. The rounds with and without it alternate.'],
    }
  },
}
