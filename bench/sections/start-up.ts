import { fileURLToPath } from 'node:url'
import { addedBy, addedByGosesh, type Installed } from '../harness/installed.js'
import { Program } from '../harness/program.js'
import { spreadOf } from '../harness/statistics.js'
import { exactly, type Section, show, showCount, showSpread } from '../report/result.js'

/** Below `.bench/bench/sections`. */
const root = fileURLToPath(new URL('../../..', import.meta.url))

/** What an application installs, as each README says; with a store's client where that is the peer's own choice. */
const packages: Readonly<Record<string, readonly string[]>> = {
  '@fastify/session': ['@fastify/cookie', '@fastify/session'],
  '@fastify/session, connect-redis': ['@fastify/cookie', '@fastify/session', 'connect-redis'],
  '@fastify/secure-session': ['@fastify/secure-session'],
  '@mgcrea/fastify-session': ['@fastify/cookie', '@mgcrea/fastify-session'],
  'better-auth': ['better-auth'],
}

const started = [
  'fastify alone',
  'gosesh',
  '@fastify/session',
  '@fastify/secure-session',
  '@mgcrea/fastify-session',
  'better-auth',
]

/** Milliseconds, by name, in the order of the rounds. */
async function timesToReady(rounds: number): Promise<Map<string, number[]>> {
  const times = new Map<string, number[]>(started.map((name) => [name, []]))
  for (let round = 0; round < rounds; round++) {
    for (const [name, measured] of times) {
      const probe = Program.start('start-up-probe', name)
      measured.push(await probe.call<number>('ms'))
      await probe.call('close')
      await probe.stop()
    }
  }
  return times
}

export const startUp: Section = {
  title: 'Start-up',
  async run({ quick }) {
    const times = await timesToReady(quick ? 3 : 15)
    const ratios = times
      .get('gosesh')
      ?.map((ms, round) => ms / Number(times.get('@fastify/session')?.[round]))
    const ours = addedByGosesh(root)
    const installed = new Map<string, Installed>([
      ['gosesh', ours],
      ...Object.entries(packages).map(([name, names]) => [name, addedBy(root, names)] as const),
    ])
    return {
      tables: [
        {
          title: 'From the import of the plugin to `ready()`, in a new process',
          columns: ['', 'ms'],
          rows: Array.from(times, ([name, measured]) => [name, showSpread(spreadOf(measured))]),
        },
        {
          title: 'What installing it adds to an application that has fastify',
          columns: ['', 'packages', 'KB'],
          rows: Array.from(installed, ([name, { packages: count, bytes }]) => [
            name,
            showCount(count),
            show(bytes / 1_000),
          ]),
        },
      ],
      goals: [
        {
          measure: 'import to ready() over @fastify/session',
          goal: { atMost: 1 },
          measured: spreadOf(ratios ?? []),
        },
        { measure: 'packages over fastify', goal: { atMost: 9 }, measured: exactly(ours.packages) },
        {
          measure: 'bytes over fastify',
          goal: { atMost: 1_000 },
          unit: ' KB',
          measured: exactly(ours.bytes / 1_000),
        },
      ],
    }
  },
}
