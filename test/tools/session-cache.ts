import { type GoseshOptions, MemoryStore, type Revocation, type SessionId } from '../../lib/index.js'

/** True if the tests run with the option `sessionCache` (`SESSION_CACHE=on`). */
export function isCacheOn(): boolean {
  return process.env.SESSION_CACHE === 'on'
}

/** The options, and with `SESSION_CACHE=on` the cache too, if the store is in memory: it is given a log of revocations. */
export function withCache(options: GoseshOptions): GoseshOptions {
  const { store = new MemoryStore() } = options
  if (!isCacheOn() || !(store instanceof MemoryStore) || 'sessionCache' in options) return options
  return { ...options, store: logged(store), sessionCache: {} }
}

const loggedStores = new WeakSet<MemoryStore>()

/** The same store, which keeps a log from now on. */
function logged(store: MemoryStore): MemoryStore {
  if (loggedStores.has(store)) return store
  loggedStores.add(store)
  const log: Revocation[] = []
  const add = (ids: readonly SessionId[], ended: boolean): void => {
    for (const id of ids) log.push({ id, ended })
  }
  const users = new Map<SessionId, string | null>()
  /** Those that are gone, whenever the call took effect; a session may come twice. */
  const goneOf = (concerns: (userId: string | null) => boolean): SessionId[] =>
    [...users]
      .filter(([id, userId]) => concerns(userId) && MemoryStore.prototype.getSession.call(store, id) === null)
      .map(([id]) => id)
  const { createSession, deleteSession, deleteUserSessions, deleteSessionsByMetadata, deleteAllSessions } =
    store
  const { updateSession } = store
  const methods = {
    async createSession(...given: Parameters<typeof createSession>) {
      users.set(given[0].id, given[0].userId)
      await createSession.apply(store, given)
    },
    async deleteSession(id: SessionId) {
      const existed = await deleteSession.call(store, id)
      if (existed) add([id], true)
      return existed
    },
    async deleteUserSessions(...given: Parameters<typeof deleteUserSessions>) {
      const deleted = await deleteUserSessions.apply(store, given)
      add(
        goneOf((userId) => userId === given[0]),
        true,
      )
      return deleted
    },
    async deleteSessionsByMetadata(...given: Parameters<typeof deleteSessionsByMetadata>) {
      const ids = await deleteSessionsByMetadata.apply(store, given)
      add(ids, true)
      return ids
    },
    async deleteAllSessions() {
      const deleted = await deleteAllSessions.call(store)
      add(
        goneOf((userId) => userId !== null),
        true,
      )
      return deleted
    },
    async updateSession(...given: Parameters<typeof updateSession>) {
      const result = await updateSession.apply(store, given)
      if (result === 'updated') add([given[0]], false)
      return result
    },
    async readRevocations(cursor: string | null) {
      const from = cursor === null ? log.length : Number(cursor)
      return { cursor: String(log.length), entries: log.slice(from) }
    },
  }
  for (const [name, value] of Object.entries(methods)) {
    Object.defineProperty(store, name, { value, configurable: true, writable: true })
  }
  return store
}
