import type { RedisServer } from '../../test/tools/redis-server.js'
import { type Candidate, RunningCandidate } from './candidate.js'

/** What a thousand requests cost the store. */
export interface StoreCounts {
  readonly reads: number
  readonly writes: number
  /** What the flush after them added. */
  readonly flushWrites: number
}

/** Counts at a store's server, from its start on. */
export interface StoreCounter {
  read(): Promise<{ readonly reads: number; readonly writes: number }>
}

const redisReads = new Set([
  ...['get', 'mget', 'exists', 'getrange', 'ttl', 'pttl'],
  ...['hget', 'hmget', 'hgetall', 'hexists', 'hlen'],
])
const redisWrites = new Set([
  ...['set', 'setex', 'psetex', 'getex', 'setrange', 'hset', 'hdel', 'del', 'unlink'],
  ...['expire', 'pexpire', 'expireat', 'pexpireat', 'zadd', 'zrem', 'sadd', 'srem'],
])

/** By `INFO commandstats`, where commands inside of scripts are counted too. */
export function redisCounter(server: RedisServer): StoreCounter {
  return {
    async read() {
      const counts = Object.entries(await server.commandCounts())
      const sum = (kind: ReadonlySet<string>): number =>
        counts.reduce((total, [name, count]) => (kind.has(name) ? total + count : total), 0)
      return { reads: sum(redisReads), writes: sum(redisWrites) }
    },
  }
}

async function requestEach({ url, cookies }: RunningCandidate): Promise<void> {
  for (let i = 0; i < cookies.length; i += 50) {
    const answers = cookies.slice(i, i + 50).map((cookie) => fetch(url, { headers: { cookie } }))
    for (const answer of await Promise.all(answers)) await answer.arrayBuffer()
  }
}

/** One request of each of a thousand sessions, then a flush, with nothing else on the store. */
async function countOne(candidate: Candidate, counter: StoreCounter): Promise<StoreCounts> {
  const running = await RunningCandidate.start(candidate)
  try {
    const before = await counter.read()
    await requestEach(running)
    const after = await counter.read()
    await running.program.call('flush')
    const flushed = await counter.read()
    return {
      reads: after.reads - before.reads,
      writes: after.writes - before.writes,
      flushWrites: flushed.writes - after.writes,
    }
  } finally {
    await running.stop()
  }
}

export async function countCommands(
  candidates: readonly Candidate[],
  counter: StoreCounter,
): Promise<Map<string, StoreCounts>> {
  const counts = new Map<string, StoreCounts>()
  for (const candidate of candidates) counts.set(candidate.title, await countOne(candidate, counter))
  return counts
}
