// @ts-check

/**
 * @typedef {object} Profile
 * @property {string} name
 * @property {string | null} email
 */

/**
 * An account as its user knows it.
 *
 * @param {Profile} profile
 */
export function accountName({ name, email }) {
  return email === null ? name : `${name} (${email})`
}

const schema = `
  PRAGMA busy_timeout = 1000;
  CREATE TABLE IF NOT EXISTS profiles (user_id TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL, email TEXT) STRICT`

/** What the application itself knows about its users. */
export class Profiles {
  #get
  #remember
  #rename

  /** @param {import('libsql').Database} database */
  constructor(database) {
    database.exec(schema)
    this.#get = database.prepare('SELECT name, email FROM profiles WHERE user_id = ?')
    this.#remember = database.prepare(
      'INSERT INTO profiles (user_id, name, email) VALUES (?, ?, ?) ON CONFLICT (user_id) DO UPDATE SET email = excluded.email',
    )
    this.#rename = database.prepare('UPDATE profiles SET name = ? WHERE user_id = ?')
  }

  /**
   * @param {string} userId
   * @returns {Profile}
   */
  get(userId) {
    const row = /** @type {Profile | undefined} */ (this.#get.get(userId))
    return { name: row?.name ?? 'Nameless', email: row?.email ?? null }
  }

  /**
   * What the provider says, at each sign-in. A name that is there already stays: the user may have changed it.
   *
   * @param {string} userId
   * @param {Profile} profile
   */
  remember(userId, { name, email }) {
    this.#remember.run(userId, name, email)
  }

  /**
   * @param {string} userId
   * @param {string} name
   */
  rename(userId, name) {
    this.#rename.run(name, userId)
  }
}
