import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import type { PostgresServer } from '../../test/tools/postgres-server.js'
import type { StoreCounter } from './store-counts.js'

/** A statement in the server's log; its further lines are indented. */
const logged = /LOG: {2}(?:statement|execute [^:]+): (.*(?:\n\t.*)*)/g
const writes = /\b(?:INSERT INTO|UPDATE|DELETE FROM)\b/i
const reads = /^\s*(?:SELECT|WITH)\b[\s\S]*\bFROM\b/i

function statements(log: string): string[] {
  return Array.from(log.matchAll(logged), ([, text]) => text as string)
}

/**
 * Counts the statements that the server ran, by its own log: `pg_stat_user_tables` shows what a connection did only some
 * time later, and `pg_stat_statements` is not part of every build.
 */
export async function statementCounter(server: PostgresServer): Promise<StoreCounter> {
  const query = async (text: string): Promise<void> => {
    const client = new pg.Client(server.connection)
    await client.connect()
    await client.query(text)
    await client.end()
  }
  await query("ALTER SYSTEM SET log_statement = 'all'")
  await query('SELECT pg_reload_conf()')
  let marks = 0
  return {
    async read() {
      const mark = `mark ${++marks}`
      await query(`SELECT '${mark}'`)
      while (!server.log.includes(mark)) await delay(5)
      const all = statements(server.log)
      const written = all.filter((text) => writes.test(text)).length
      return { reads: all.filter((text) => reads.test(text) && !writes.test(text)).length, writes: written }
    },
  }
}

/** Stops writing statements to the log. */
export async function stopStatementLog(server: PostgresServer): Promise<void> {
  const client = new pg.Client(server.connection)
  await client.connect()
  await client.query('ALTER SYSTEM RESET log_statement')
  await client.query('SELECT pg_reload_conf()')
  await client.end()
}
