// @ts-check
import { mkdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { SqliteStore } from 'gosesh/sqlite'
import Database from 'libsql'
import { Notes } from './notes.js'
import { Profiles } from './profiles.js'
import { SecondFactors } from './second-factors.js'

/** A file of this folder, whatever the working directory is. */
async function defaultPath() {
  const folder = new URL('data/', import.meta.url)
  await mkdir(folder, { recursive: true })
  return fileURLToPath(new URL('app.db', folder))
}

/**
 * Sessions, profiles, notes and second factors in one SQLite file, so that all survive a restart. better-sqlite3 and Node's
 * own node:sqlite take the place of libsql without another change.
 *
 * @param {string | null} path `null`: `data/app.db` beside this file.
 */
export async function openDatabase(path) {
  const file = path ?? (await defaultPath())
  // The store gets a connection of its own: what it writes is not to fall into a transaction of the application.
  const [sessions, application] = [new Database(file), new Database(file)]
  const store = new SqliteStore(sessions)
  await store.migrate()
  return {
    store,
    profiles: new Profiles(application),
    notes: new Notes(application),
    secondFactors: new SecondFactors(application),
    close() {
      sessions.close()
      application.close()
    },
  }
}
