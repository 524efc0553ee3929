import { hash } from 'node:crypto'
import type { SessionId } from '../../../types/session.js'
import type { SessionRecord } from '../../../types/store.js'
import type { RedisConnection } from './connection.js'
import {
  addEntry,
  condemnEntries,
  listEntries,
  raiseEntry,
  removeEntries,
  settleEntry,
} from './index-scripts.js'

/** One session in the index of its user. */
export interface IndexEntry {
  /** The key of the index. */
  readonly key: string
  readonly id: SessionId
  /** Where the session stands, as Redis writes it. */
  readonly score: string
}

/** A session that is about to be created. */
export interface NewEntry extends IndexEntry {
  readonly absoluteDeadline: string
}

/**
 * Which sessions a user has: a sorted set of session ids for each user. In a cluster a session and its user's index
 * live on different servers, so no script can change both at once. The score of an entry says where it stands:
 *
 *     deadline + 0.5        pending: its creation is under way
 *     deadline              settled: its session was created
 *     -deadline (- 0.5)     condemned, when settled (when pending), by a deletion of all the user's sessions
 *
 * where the deadline is the absolute one, after which the entry and its session are past their time.
 *
 * Creation adds the entry (A), writes the session (B), and settles the entry (C). If C finds the entry condemned or
 * gone, it deletes the session again: if it is not there any more, a deletion took it, and the creation is done; if it
 * is, the creation starts over, and A makes its own condemned entry pending again. Deletion condemns every entry, in
 * the one script that also lists them (X), deletes their sessions (Y), and removes those entries that still stand as
 * it left them (Z). So, of a creation and a deletion at the same time:
 *
 *  - X before A: the deletion does not see the session, which was not there when it began.
 *  - X after A, before C: C finds the entry condemned or gone, and what Y did not delete is created once more.
 *  - X after C: B came before C, so that Y finds the session and deletes it.
 *
 * A creation that has ended never finds its entry gone with the session left behind: only what was condemned while
 * pending is made pending again, Z removes such an entry only while it is condemned as pending, and then C, which is
 * still to come, sees it. That holds if either side stops half-way too: entries are removed last, so that the next
 * deletion finds what this one left; and the token of a session that was never settled was given to nobody.
 *
 * An entry without a session is removed when a listing meets it, unless it is pending. Entries past their time go with
 * the next creation or deletion, and a whole index expires with the last of its sessions.
 */
export class UserIndex {
  readonly #connection: RedisConnection
  readonly #prefix: string
  readonly #grace: string

  constructor(connection: RedisConnection, prefix: string, grace: number) {
    this.#connection = connection
    this.#prefix = `${prefix}user-sessions:`
    this.#grace = String(grace)
  }

  /**
   * The entry of a session to come, taken down at once: the caller may change the session's dates meanwhile. `null` for a
   * visitor, who belongs to nobody.
   */
  entryFor({ id, userId, absoluteDeadline: deadline }: SessionRecord): NewEntry | null {
    if (userId === null) return null
    const absoluteDeadline = String(deadline.getTime())
    return { key: this.#keyOf(userId), id, score: pendingScore(absoluteDeadline), absoluteDeadline }
  }

  /** Step A. Resolves with true if the id was new to the index. */
  async add({ key, id, absoluteDeadline }: NewEntry): Promise<boolean> {
    return Number(await this.#connection.run(addEntry, [key], [this.#grace, absoluteDeadline, id])) === 1
  }

  /** Step C. Resolves false if all the user's sessions were deleted since the entry was added. */
  async settle({ key, id, absoluteDeadline }: NewEntry): Promise<boolean> {
    return Number(await this.#connection.run(settleEntry, [key], [this.#grace, absoluteDeadline, id])) === 1
  }

  /**
   * Moves the entry of a session to a later deadline, before the session itself is moved: so no list and no deletion takes
   * it for one that is past its time. Resolves false if the entry is gone or condemned: the session has ended, or is about to.
   */
  async raise({ key, id, absoluteDeadline }: NewEntry): Promise<boolean> {
    return Number(await this.#connection.run(raiseEntry, [key], [this.#grace, absoluteDeadline, id])) === 1
  }

  /** Step X. Resolves the entries whose sessions are to be deleted. */
  condemn(userId: string, except: SessionId | undefined): Promise<IndexEntry[]> {
    return this.#condemn([this.#keyOf(userId)], except ?? '')
  }

  /** Step X for every user, in pages. */
  async *condemnAll(): AsyncGenerator<IndexEntry[]> {
    for await (const keys of this.#connection.keys(this.#prefix)) yield await this.#condemn(keys, '')
  }

  /** Step Z; also for entries that were found to have no session. */
  async remove(entries: readonly IndexEntry[]): Promise<void> {
    const keys = entries.map(({ key }) => key)
    await this.#connection.runEach(
      removeEntries,
      keys,
      [],
      entries.map(({ score, id }) => `${score} ${id}`),
    )
  }

  /** Removes the entries of sessions that were deleted, wherever their creation stands. */
  async removeSessions(sessions: readonly SessionRecord[]): Promise<void> {
    await this.remove(
      sessions.flatMap((session) => {
        const entry = this.entryFor(session)
        return entry === null ? [] : [entry, { ...entry, score: entry.absoluteDeadline }]
      }),
    )
  }

  async list(userId: string): Promise<IndexEntry[]> {
    const key = this.#keyOf(userId)
    return toEntries(key, await this.#connection.run(listEntries, [key]))
  }

  async #condemn(keys: readonly string[], except: string): Promise<IndexEntry[]> {
    const replies = await this.#connection.runEach(condemnEntries, keys, [this.#grace, except])
    return replies.flat().flatMap((reply, i) => toEntries(keys[i] as string, reply))
  }

  /** A hash, because a user id may be long, and braces in it would choose the slot in a cluster. */
  #keyOf(userId: string): string {
    return this.#prefix + hash('sha256', userId, 'base64url')
  }
}

function pendingScore(absoluteDeadline: string): string {
  return `${absoluteDeadline}.5`
}

/** True if the session of an entry may be about to be written. */
export function isPending({ score }: IndexEntry): boolean {
  return !score.startsWith('-') && score.endsWith('.5')
}

function toEntries(key: string, reply: unknown): IndexEntry[] {
  const flat = reply as string[]
  const entries: IndexEntry[] = []
  for (let i = 0; i < flat.length; i += 2) {
    entries.push({ key, id: flat[i] as SessionId, score: String(flat[i + 1]) })
  }
  return entries
}
