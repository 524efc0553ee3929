import { readFileSync } from 'node:fs'
import type { PostgresServer } from '../../test/tools/postgres-server.js'
import type { RedisServer } from '../../test/tools/redis-server.js'
import type { Cleanup } from './servers.js'

/** Microseconds of processor time that a store's server has used. */
export type StoreCpu = () => Promise<number>

export function redisCpu(server: RedisServer): StoreCpu {
  return async () => {
    const info = await server.command('INFO', 'cpu')
    const seconds = Array.from(info.matchAll(/^used_cpu_(?:sys|user):([\d.]+)/gm), ([, value]) =>
      Number(value),
    )
    return seconds.reduce((sum, value) => sum + value, 0) * 1e6
  }
}

/** Microseconds in a tick of `/proc`, of which Linux counts a hundred a second. */
const tick = 10_000

/** Of the backends that serve clients now, and of those that work beside them. NaN where there is no `/proc`. */
export function postgresCpu(server: PostgresServer, cleanup: Cleanup): StoreCpu {
  const pool = server.pool(cleanup.test, { max: 1 })
  const usedBy = (pid: number): number => {
    try {
      // The name in parentheses may hold anything; the fields after it are separated by spaces.
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? []
      return (Number(fields[11]) + Number(fields[12])) * tick
    } catch {
      return Number.NaN
    }
  }
  return async () => {
    const { rows } = await pool.query('SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()')
    return rows.reduce((sum: number, { pid }) => sum + usedBy(pid), 0)
  }
}
