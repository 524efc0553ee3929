import { MemoryStore, type SessionId } from '../../lib/index.js'
import { BoundedStore } from '../../lib/session/bounded-store.js'
import { compareInRounds } from '../harness/micro.js'
import { seedStore, sessionsFrom } from '../harness/seed.js'
import { type Section, show, showSpread } from '../report/result.js'

const operations = 20_000
/** Under way at once, as in a server that is busy. */
const together = 32

async function inWaves(ids: readonly SessionId[], read: (id: SessionId) => Promise<unknown>): Promise<void> {
  for (let i = 0; i < operations; i += together) {
    const wave: Promise<unknown>[] = []
    for (let j = i; j < i + together; j++) wave.push(read(ids[j % ids.length] as SessionId))
    await Promise.all(wave)
  }
}

/** What it costs that every call of the store is bounded in time and in number. */
export const storeCall: Section = {
  title: 'Bounded waiting',
  async run({ quick, figures }) {
    const store = new MemoryStore()
    await seedStore(store, 0, 1_000)
    const ids = Array.from(sessionsFrom(0, 1_000), ({ id }) => id)
    // A store that has to be waited for: an answer that is at hand has no limit.
    const read = async (id: SessionId) => store.getSession(id)
    const waiting = Object.assign(new MemoryStore(), { getSession: read })
    const bounded = new BoundedStore(waiting, { storeTimeout: 2_000, maxPendingStoreCalls: 1_000 })
    const { baseline, subject, ratio } = await compareInRounds({
      rounds: quick ? 51 : 201,
      operations,
      baseline: () => inWaves(ids, read),
      subject: () => inWaves(ids, async (id) => bounded.getSession(id)),
    })
    const cost = subject.median - baseline.median
    const share = (cpu: number | undefined): string =>
      cpu === undefined ? '–' : `${show((cost / 1_000 / cpu) * 100)} %`
    return {
      tables: [
        {
          title: 'A read that resolves in the same turn, bare and with bounded waiting',
          columns: ['', 'ns a call', 'ratio'],
          rows: [
            ['bare', showSpread(baseline), ''],
            ['through `BoundedStore`', showSpread(subject), showSpread(ratio)],
          ],
        },
        {
          title: 'What bounded waiting adds to a request',
          columns: ['', 'ns', 'of a request, Redis', 'of a request, PostgreSQL'],
          rows: [['bounded waiting', show(cost), share(figures.redisCpu), share(figures.postgresCpu)]],
        },
      ],
      goals: [],
      figures: { boundedWaitingNs: cost },
    }
  },
}
