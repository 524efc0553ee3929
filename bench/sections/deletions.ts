import { Program } from '../harness/program.js'
import type { SeededStoreName, SeededStoreSettings } from '../harness/seeded-store.js'
import { type Cleanup, postgresServer, temporaryFolder, withCleanup } from '../harness/servers.js'
import { type Section, show, showCount } from '../report/result.js'

interface Timed {
  readonly ms: number
  /** The longest that a request for another session, one after the other meanwhile, waited for the store. */
  readonly longestMs: number
}

const ways = {
  sweepAll: 'the sweep of all, expired',
  deleteOfUser: 'all of one user, a hundredth of all',
  deleteAll: 'all sessions',
} as const

const stores: readonly SeededStoreName[] = ['postgres', 'sqlite']
const titles: Partial<Record<SeededStoreName, string>> = { postgres: 'PostgreSQL', sqlite: 'SQLite (libsql)' }

async function settingsFor(cleanup: Cleanup, store: SeededStoreName): Promise<SeededStoreSettings> {
  if (store === 'sqlite') return { store, folder: temporaryFolder(cleanup) }
  return { store, postgres: (await postgresServer(cleanup)).connection }
}

/** Fills the store anew for each way, with data for every `dataFor`-th session; 0: for none. */
async function measure(
  store: SeededStoreName,
  count: number,
  dataFor: number,
): Promise<Record<keyof typeof ways, Timed>> {
  return await withCleanup(async (cleanup) => {
    const program = Program.start('deletions', await settingsFor(cleanup, store))
    cleanup.add(() => program.stop())
    const entries: [string, Timed][] = []
    for (const way of Object.keys(ways)) {
      await program.call('seed', count, dataFor)
      entries.push([way, await program.call<Timed>(way)])
      await program.call('empty')
    }
    await program.call('close')
    return Object.fromEntries(entries) as Record<keyof typeof ways, Timed>
  })
}

export const deletions: Section = {
  title: 'Many sessions deleted at once, with data and without',
  async run({ quick }) {
    const count = quick ? 50_000 : 1_000_000
    const rows: string[][] = []
    for (const store of stores) {
      const bare = await measure(store, count, 0)
      const withData = await measure(store, count, 10)
      for (const [way, title] of Object.entries(ways) as [keyof typeof ways, string][]) {
        rows.push([
          String(titles[store]),
          title,
          show(bare[way].ms / 1_000),
          show(withData[way].ms / 1_000),
          show(bare[way].longestMs),
          show(withData[way].longestMs),
        ])
      }
    }
    return {
      tables: [
        {
          title: `${showCount(count)} sessions deleted; with data: a tenth of them has three keys each`,
          columns: [
            'store',
            'deletes',
            's, no data',
            's, with data',
            'longest wait ms, no data',
            'longest wait ms, with data',
          ],
          rows,
        },
      ],
      goals: [],
      notes: [
        'The wait is that of one session after the other that is read, and whose activity is written, beside the deletion.',
      ],
    }
  },
}
