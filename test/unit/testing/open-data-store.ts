import type { SessionDataLimits, SessionDataStore } from '../../../types/data.js'
import type { SessionId } from '../../../types/session.js'
import type { SessionRecord } from '../../../types/store.js'
import { OpenStore } from './open-store.js'

type Changes = ReadonlyMap<string, string | null>

/** Session data that keeps every rule, in parts that can be broken one at a time. */
export class OpenDataStore extends OpenStore implements SessionDataStore {
  readonly data = new Map<SessionId, Map<string, string>>()

  override async createSession(session: SessionRecord, data?: ReadonlyMap<string, string>): Promise<void> {
    await super.createSession(session)
    this.data.set(session.id, new Map(data))
  }

  /** The data of a session that exists. */
  of(id: SessionId): Map<string, string> | null {
    return this.sessions.has(id) ? (this.data.get(id) ?? new Map()) : null
  }

  pick(data: Map<string, string>, keys: readonly string[] | null): Map<string, string> {
    return new Map([...data].filter(([key]) => keys === null || keys.includes(key)))
  }

  after(data: Map<string, string>, changes: Changes): Map<string, string> {
    const next = new Map(data)
    for (const [key, value] of changes) {
      if (value === null) next.delete(key)
      else next.set(key, value)
    }
    return next
  }

  fits(next: Map<string, string>, data: Map<string, string>, { maxKeys }: SessionDataLimits): boolean {
    return next.size <= Math.max(maxKeys, data.size)
  }

  isExpected(found: string | undefined, expected: string | null): boolean {
    return (found ?? null) === expected
  }

  async readData(id: SessionId, keys: readonly string[] | null): Promise<Map<string, string> | null> {
    const data = this.of(id)
    return data && this.pick(data, keys)
  }

  async writeData(
    id: SessionId,
    changes: Changes,
    limits: SessionDataLimits,
  ): Promise<'written' | 'full' | 'absent'> {
    const data = this.of(id)
    if (data === null) return 'absent'
    const next = this.after(data, changes)
    if (!this.fits(next, data, limits)) return 'full'
    this.data.set(id, next)
    return 'written'
  }

  async swapData(
    id: SessionId,
    key: string,
    expected: string | null,
    next: string | null,
    limits: SessionDataLimits,
  ): Promise<'swapped' | 'conflict' | 'full' | 'absent'> {
    const data = this.of(id)
    if (data === null) return 'absent'
    if (!this.isExpected(data.get(key), expected)) return 'conflict'
    return (await this.writeData(id, new Map([[key, next]]), limits)) === 'full' ? 'full' : 'swapped'
  }
}
