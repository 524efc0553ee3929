// @ts-check
import { Attempts } from './attempts.js'
import { newSecret, stepOfCode } from './totp.js'

const minute = 60_000

/** How long a secret that was shown waits for its first code. */
const setUpTimeout = 10 * minute

const schema = `
  PRAGMA busy_timeout = 1000;
  CREATE TABLE IF NOT EXISTS second_factors (
    user_id TEXT NOT NULL PRIMARY KEY,
    secret TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    enabled_at INTEGER,
    last_step INTEGER NOT NULL DEFAULT 0
  ) STRICT`

/**
 * The users' second factors: codes of an authenticator (TOTP, RFC 6238). Between the first look at the secret and the first
 * code it is not enabled, and nothing demands it. Each code counts once: `last_step` only grows, in the statement.
 */
export class SecondFactors {
  #begin
  #pending
  #enable
  #enabled
  #useStep
  #remove
  #attempts = new Attempts({ limit: 5, window: minute })

  /** @param {import('libsql').Database} database */
  constructor(database) {
    database.exec(schema)
    this.#begin = database.prepare(
      `INSERT INTO second_factors (user_id, secret, started_at) VALUES (?, ?, ?)
      ON CONFLICT (user_id) DO UPDATE SET secret = excluded.secret, started_at = excluded.started_at
      WHERE enabled_at IS NULL AND started_at <= excluded.started_at - ${setUpTimeout}`,
    )
    this.#pending = database.prepare(
      'SELECT secret FROM second_factors WHERE user_id = ? AND enabled_at IS NULL',
    )
    this.#enable = database.prepare(
      'UPDATE second_factors SET enabled_at = ?, last_step = ? WHERE user_id = ? AND secret = ? AND enabled_at IS NULL',
    )
    this.#enabled = database.prepare(
      'SELECT secret, enabled_at FROM second_factors WHERE user_id = ? AND enabled_at IS NOT NULL',
    )
    this.#useStep = database.prepare(
      'UPDATE second_factors SET last_step = ? WHERE user_id = ? AND secret = ? AND last_step < ?',
    )
    this.#remove = database.prepare('DELETE FROM second_factors WHERE user_id = ?')
  }

  /**
   * Since when the user has a second factor; `null` without one.
   *
   * @param {string} userId
   */
  enabledAt(userId) {
    const row = this.#find(userId)
    return row === undefined ? null : new Date(row.enabled_at)
  }

  /**
   * The secret to show while it is set up, the same one for ten minutes; `null` if a second factor is enabled already.
   *
   * @param {string} userId
   * @param {number} now
   */
  pendingSecret(userId, now) {
    this.#begin.run(userId, newSecret(), now)
    const row = /** @type {{ secret: string } | undefined} */ (this.#pending.get(userId))
    return row?.secret ?? null
  }

  /**
   * Returns whether the code was right, and the second factor is enabled by it.
   *
   * @param {string} userId
   * @param {string} secret
   * @param {unknown} code
   * @param {number} now
   */
  enable(userId, secret, code, now) {
    const step = stepOfCode(secret, code, now)
    return step !== null && this.#enable.run(now, step, userId, secret).changes === 1
  }

  /**
   * Uses a code up. After five wrong ones, right ones are not looked at for the rest of a minute.
   *
   * @param {string} userId
   * @param {unknown} code
   * @param {number} now
   * @returns {'right' | 'wrong' | 'tooMany'}
   */
  use(userId, code, now) {
    if (this.#attempts.isOver(userId, now)) return 'tooMany'
    const secret = this.#find(userId)?.secret
    const step = secret === undefined ? null : stepOfCode(secret, code, now)
    if (step !== null && this.#useStep.run(step, userId, secret, step).changes === 1) return 'right'
    this.#attempts.fail(userId, now)
    return 'wrong'
  }

  /** @param {string} userId */
  remove(userId) {
    this.#remove.run(userId)
  }

  /** @param {string} userId */
  #find(userId) {
    return /** @type {{ secret: string, enabled_at: number } | undefined} */ (this.#enabled.get(userId))
  }
}
