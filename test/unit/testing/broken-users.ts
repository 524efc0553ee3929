import { setImmediate as nextTurn } from 'node:timers/promises'
import type { SessionRecord, SessionStore } from '../../../types/store.js'
import type { BrokenStores } from './broken-stores.js'
import { OpenStore } from './open-store.js'

/** A store that takes user ids for one another that become the same by `fold`. */
function folding(fold: (userId: string) => string): new () => SessionStore {
  return class extends OpenStore {
    override owns(userId: string, session: SessionRecord): boolean {
      return fold(String(session.userId)) === fold(userId)
    }
  }
}

export const brokenUsers: BrokenStores = {
  'upsertUser: the same user for the same provider id, every time': class extends OpenStore {
    #users = 0
    override async upsertUser(): Promise<string> {
      return `${++this.#users}`
    }
  },

  'upsertUser: many at once agree on one user': class extends OpenStore {
    readonly #users = new Map<string, string>()
    override async upsertUser(authProviderId: string): Promise<string> {
      const known = this.#users.get(authProviderId)
      if (known !== undefined) return known
      const userId = `${Math.random()}`
      await nextTurn()
      this.#users.set(authProviderId, userId)
      return userId
    }
  },

  'upsertUser: different provider ids are different users, however alike': class extends OpenStore {
    override async upsertUser(authProviderId: string): Promise<string> {
      return `user of ${authProviderId.toLowerCase()}`
    }
  },

  'user ids: kept exactly and apart, quotes and backslashes': folding((id) => id.replaceAll("''", "'")),
  'user ids: kept exactly and apart, separators and braces': folding((id) => id.split(':')[0] ?? ''),
  'user ids: kept exactly and apart, patterns': class extends OpenStore {
    override owns(userId: string, session: SessionRecord): boolean {
      const pattern = userId.replace(/[[\]^$.+\\]/g, '\\$&').replaceAll('*', '.*')
      return new RegExp(`^${pattern}$`).test(String(session.userId))
    }
  },
  'user ids: kept exactly and apart, white space': folding((id) => id.trimEnd()),
  'user ids: kept exactly and apart, names of built-in properties': folding((id) =>
    id in {} ? 'known' : id,
  ),
  'user ids: kept exactly and apart, numbers and literals': folding((id) => `${Number(id) || id}`),
  'user ids: kept exactly and apart, prefixes of one another': class extends OpenStore {
    override owns(userId: string, session: SessionRecord): boolean {
      return String(session.userId).startsWith(userId)
    }
  },
  'user ids: kept exactly and apart, upper and lower case': folding((id) => id.toLowerCase()),
  'user ids: kept exactly and apart, composed and decomposed characters': folding((id) => id.normalize()),
  'user ids: kept exactly and apart, emoji and scripts': folding((id) => id.replaceAll('\ufe0f', '')),
  'user ids: kept exactly and apart, invisible characters': folding((id) => id.replaceAll('\u200b', '')),
  'user ids: kept exactly and apart, 1,000 characters': folding((id) => id.slice(0, 255)),
  'user ids: kept exactly and apart, 1,000 characters of four bytes': folding((id) => id.slice(0, 1_000)),
}
