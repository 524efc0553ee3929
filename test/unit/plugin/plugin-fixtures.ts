import { MemoryStore, type SessionStore } from '../../../lib/index.js'

/** A store with the six methods and no capability. */
export function plainStore(): SessionStore {
  const store = new MemoryStore()
  return {
    upsertUser: (id) => store.upsertUser(id),
    createSession: (session) => store.createSession(session),
    getSession: (id) => store.getSession(id),
    extendSession: (id, to) => store.extendSession(id, to),
    deleteSession: (id) => store.deleteSession(id),
    deleteUserSessions: (userId, options) => store.deleteUserSessions(userId, options),
  }
}
