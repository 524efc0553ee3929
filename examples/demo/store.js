// @ts-check
import { MemoryStore } from 'gosesh'
import { SqliteStore } from 'gosesh/sqlite'

/**
 * The store that `--store` names: `memory`, or `sqlite:PATH`, whose sessions outlive a restart.
 *
 * @param {string} name
 * @returns {Promise<{ store: import('gosesh').SessionStore, close?: () => void }>}
 */
export async function openStore(name) {
  if (name === 'memory') return { store: new MemoryStore() }
  const path = /^sqlite:(.+)$/.exec(name)?.[1]
  if (path === undefined) throw new Error(`--store is ${name}; expected memory, or sqlite:PATH`)
  // Any database with the API of better-sqlite3 will do, and so will Node's own node:sqlite.
  const { default: Database } = await import('libsql')
  const database = new Database(path)
  const store = new SqliteStore(database)
  await store.migrate()
  return { store, close: () => void database.close() }
}
