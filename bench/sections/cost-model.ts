import type { RedisServer } from '../../test/tools/redis-server.js'
import { RunningCandidate } from '../harness/candidate.js'
import { redisServer, withCleanup } from '../harness/servers.js'
import { redisCpu } from '../harness/store-cpu.js'
import { type Section, show, showCount, type Table } from '../report/result.js'

interface Case {
  readonly sessions: number
  readonly flushInterval: number
}

interface Measured extends Case {
  readonly requests: number
  readonly seconds: number
  readonly reads: number
  readonly written: number
}

/** A flush comes up to a tenth sooner than `flushInterval`, at random. */
const meanJitter = 0.95

/** What the model says of a load under which every session is active in every interval. */
function writesOf({ sessions, flushInterval, seconds, requests }: Measured): number {
  const flushes = Math.floor((seconds * 1_000) / (flushInterval * meanJitter)) + 1
  return Math.min(requests, sessions * flushes)
}

async function measureCase(server: RedisServer, model: Case, seconds: number): Promise<Measured> {
  const { sessions, flushInterval } = model
  const settings = { store: 'redis', redisUrl: server.url, flushInterval } as const
  const candidate = await RunningCandidate.startSeeded('gosesh', settings, sessions)
  await candidate.program.call('seed', 0, sessions)
  await server.command('CONFIG', 'RESETSTAT')
  const started = performance.now()
  const { requests } = await candidate.measure(seconds, 32)
  const lasted = (performance.now() - started) / 1_000
  // Closing writes what is left.
  await candidate.stop()
  const { get = 0, setrange = 0 } = await server.commandCounts()
  return { ...model, requests, seconds: lasted, reads: get, written: setrange }
}

/** What a read, and a session in a flush, costs Redis itself, in microseconds. */
async function redisCosts(server: RedisServer): Promise<{ read: number; flushed: number }> {
  const count = 100_000
  const candidate = await RunningCandidate.startSeeded(
    'gosesh',
    { store: 'redis', redisUrl: server.url },
    count,
  )
  await candidate.program.call('seed', 0, count)
  const cpu = redisCpu(server)
  const beforeReads = await cpu()
  const { requests } = await candidate.measure(2, 32)
  const afterReads = await cpu()
  await candidate.program.call('recordAll', count)
  const beforeFlush = await cpu()
  await candidate.program.call('flush')
  const flushed = ((await cpu()) - beforeFlush) / count
  await candidate.stop()
  return { read: (afterReads - beforeReads) / requests, flushed }
}

function modelTable(cases: readonly Measured[]): Table {
  return {
    title: 'The model of cost, beside what Redis counted',
    columns: [
      ...['sessions', 'flushInterval s', 'seconds', 'requests'],
      ...['reads, model', 'reads', 'sessions written, model', 'sessions written'],
    ],
    rows: cases.map((measured) => [
      showCount(measured.sessions),
      show(measured.flushInterval / 1_000),
      show(measured.seconds),
      showCount(measured.requests),
      showCount(measured.requests),
      showCount(measured.reads),
      showCount(writesOf(measured)),
      showCount(measured.written),
    ]),
  }
}

/** The fleet that is reckoned with: ten million active sessions, each with a request a minute. */
const fleet = { sessions: 10_000_000, requestsPerSecond: 10_000_000 / 60, nodeLoad: 0.6 }

/** Sessions written in a second, where each request goes to any of the nodes, or always to the same one. */
function writesPerSecond(flushInterval: number, nodes: number): number {
  const requestsAnInterval = (fleet.requestsPerSecond * flushInterval) / 1_000 / fleet.sessions
  const nodesOfSession = nodes * (1 - Math.exp(-requestsAnInterval / nodes))
  return (fleet.sessions * nodesOfSession) / (flushInterval / 1_000)
}

function fleetTables(
  figures: Readonly<Record<string, number>>,
  costs: { read: number; flushed: number },
): Table[] {
  const { redisCpu: cpu, redisSessionBytes, pendingBytes } = figures
  if (cpu === undefined || redisSessionBytes === undefined || pendingBytes === undefined) return []
  const { requestsPerSecond, nodeLoad, sessions } = fleet
  const nodes = Math.ceil((requestsPerSecond * cpu) / 1e6 / nodeLoad)
  const cores = (reads: number, writes: number): number => (reads * costs.read + writes * costs.flushed) / 1e6
  const rows = [30_000, 60_000, 300_000, 600_000].map((flushInterval) => {
    const anywhere = writesPerSecond(flushInterval, nodes)
    const sticky = writesPerSecond(flushInterval, 1)
    // A pending session is its record and its id, a string of 43 characters.
    const pending = Math.min(sessions, (anywhere * flushInterval) / 1_000 / nodes)
    return [
      show(flushInterval / 1_000),
      showCount(anywhere),
      showCount(sticky),
      show(cores(requestsPerSecond, anywhere)),
      show(cores(requestsPerSecond, sticky)),
      showCount(pending),
      show((pending * (pendingBytes + 56)) / 1e6),
    ]
  })
  return [
    {
      title: 'Ten million active sessions with a request a minute each, on Redis',
      columns: ['', 'predicted'],
      rows: [
        ['requests/s, and reads/s', showCount(requestsPerSecond)],
        ['CPU µs a request, of a node', show(cpu)],
        [`cores of nodes, at ${nodeLoad * 100} % load`, showCount(nodes)],
        ['CPU µs a read, of Redis', show(costs.read)],
        ['CPU µs a session in a flush, of Redis', show(costs.flushed)],
        ['memory of Redis, GB', show((sessions * redisSessionBytes) / 1e9)],
      ],
    },
    {
      title: 'The same, by flushInterval',
      columns: [
        'flushInterval s',
        'sessions written/s, any node',
        'sticky',
        'cores of Redis, any node',
        'sticky',
        'pending a node',
        'MB',
      ],
      rows,
    },
  ]
}

export const costModel: Section = {
  title: 'The model of cost',
  run: ({ quick, figures }) =>
    withCleanup(async (cleanup) => {
      const server = await redisServer(cleanup)
      const cases: readonly Case[] = [
        { sessions: 1_000, flushInterval: 500 },
        { sessions: 1_000, flushInterval: 1_000 },
        { sessions: 5_000, flushInterval: 1_000 },
      ]
      const measured: Measured[] = []
      for (const model of cases) measured.push(await measureCase(server, model, quick ? 2.5 : 10.5))
      const costs = await redisCosts(server)
      return {
        tables: [modelTable(measured), ...fleetTables(figures, costs)],
        goals: [],
        figures: { redisReadMicros: costs.read, redisFlushMicros: costs.flushed },
        notes:
          figures.redisCpu === undefined
            ? ['The prediction needs verify-redis, record and growth before it.']
            : [],
      }
    }),
}
