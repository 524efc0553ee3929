// @ts-check

const schema = `
  PRAGMA busy_timeout = 1000;
  CREATE TABLE IF NOT EXISTS notes (user_id TEXT NOT NULL PRIMARY KEY, note TEXT NOT NULL) STRICT`

/** A note that each user keeps for themselves, the same on all of their devices. */
export class Notes {
  #get
  #save
  #remove

  /** @param {import('libsql').Database} database */
  constructor(database) {
    database.exec(schema)
    this.#get = database.prepare('SELECT note FROM notes WHERE user_id = ?')
    this.#save = database.prepare(
      'INSERT INTO notes (user_id, note) VALUES (?, ?) ON CONFLICT (user_id) DO UPDATE SET note = excluded.note',
    )
    this.#remove = database.prepare('DELETE FROM notes WHERE user_id = ?')
  }

  /**
   * Empty without one.
   *
   * @param {string} userId
   */
  get(userId) {
    const row = /** @type {{ note: string } | undefined} */ (this.#get.get(userId))
    return row?.note ?? ''
  }

  /**
   * @param {string} userId
   * @param {string} note Empty: none.
   */
  save(userId, note) {
    if (note === '') this.#remove.run(userId)
    else this.#save.run(userId, note)
  }
}
