import type { SessionId, SessionMetadata } from '../../types/session.js'
import type { SessionChanges, SessionRecord, SessionStore } from '../../types/store.js'
import type { RecordCache } from '../core/record-cache.js'
import { isPromise } from '../core/timing.js'
import { amendAnswer, answerTo, BoundedStore, type StoreLimits } from './bounded-store.js'

/**
 * The way to the store with the option `sessionCache`: what is read is kept for later requests, and what this node ends or
 * changes is forgotten before the call is answered, however it ends. It reads the store each time: only `CachedSessions` uses
 * what is kept.
 */
export class CachedStore<S extends SessionStore = SessionStore> extends BoundedStore<S> {
  readonly #cache: RecordCache
  readonly #sync: () => Promise<void>

  /** `sync` applies to the cache whatever any node did before the call. */
  constructor(raw: S, limits: StoreLimits, cache: RecordCache, sync: () => Promise<void>) {
    super(raw, limits)
    this.#cache = cache
    this.#sync = sync
    const { updateSession, deleteSessionsByMetadata, deleteAllSessions } = this
    Object.assign(
      this,
      updateSession && {
        updateSession: (id: SessionId, version: number, changes: SessionChanges) =>
          this.#dropping(id, updateSession(id, version, changes)),
      },
      deleteSessionsByMetadata && {
        deleteSessionsByMetadata: (pairs: SessionMetadata) => this.#syncing(deleteSessionsByMetadata(pairs)),
      },
      deleteAllSessions && { deleteAllSessions: () => this.#syncing(deleteAllSessions()) },
    )
  }

  override getSession(id: SessionId): SessionRecord | null | Promise<SessionRecord | null> {
    const load = this.#cache.beginLoad(id)
    const answer = super.getSession(id)
    if (!isPromise(answer)) {
      this.#cache.endLoad(load, answer)
      return answer
    }
    return answer.then(
      (record) => {
        this.#cache.endLoad(load, record)
        return record
      },
      (error) => {
        this.#cache.endLoad(load, null)
        throw error
      },
    )
  }

  override async deleteSession(id: SessionId): Promise<boolean> {
    try {
      const existed = await this.#dropping(id, super.deleteSession(id))
      if (existed) this.#cache.end(id)
      return existed
    } catch (error) {
      // By then the log may have told everybody of it.
      amendAnswer(error, (existed) => existed === true && this.#cache.end(id))
      throw error
    }
  }

  override deleteUserSessions(
    userId: string,
    options?: { readonly except?: SessionId | undefined },
  ): Promise<number> {
    return this.#syncing(super.deleteUserSessions(userId, options))
  }

  /** A call that failed may have taken effect, or may do so later. */
  async #dropping<T>(id: SessionId, call: Promise<T>): Promise<T> {
    const drop = (): void => this.#cache.drop(id)
    const result = await call.catch((error) => {
      drop()
      answerTo(error)?.then(drop, drop)
      throw error
    })
    drop()
    return result
  }

  async #syncing<T>(call: Promise<T>): Promise<T> {
    const sync = (): Promise<void> => this.#sync().catch(() => this.#cache.clear())
    const result = await call.catch(async (error) => {
      answerTo(error)?.then(sync, sync)
      await sync()
      throw error
    })
    await sync()
    return result
  }
}
