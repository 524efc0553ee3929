import type { SessionDataLimits, SessionDataStore } from '../../../types/data.js'
import type { SessionId } from '../../../types/session.js'
import type { RedisConnection } from './connection.js'
import { readData, swapData, writeData } from './scripts.js'

/**
 * What the application keeps with sessions: a hash beside each session that has some, in the same slot of a cluster. The scripts
 * that move or delete a session do the same with its hash.
 */
export class RedisData implements SessionDataStore {
  readonly #connection: RedisConnection
  readonly #prefix: string
  readonly #grace: string

  constructor(connection: RedisConnection, prefix: string, grace: number) {
    this.#connection = connection
    this.#prefix = prefix
    this.#grace = String(grace)
  }

  async readData(id: SessionId, keys: readonly string[] | null): Promise<ReadonlyMap<string, string> | null> {
    if (keys?.length === 0) return (await this.readData(id, null)) === null ? null : new Map()
    const reply = (await this.#connection.run(readData, this.#keysOf(id), [...(keys ?? [])])) as
      | string[]
      | null
    if (reply === null) return null
    const values = new Map<string, string>()
    for (let i = 0; i < reply.length; i += 2) values.set(String(reply[i]), String(reply[i + 1]))
    return values
  }

  async writeData(
    id: SessionId,
    changes: ReadonlyMap<string, string | null>,
    { maxKeys }: SessionDataLimits,
  ): Promise<'written' | 'full' | 'absent'> {
    const args = [this.#grace, String(maxKeys), ...[...changes].flatMap(([key, value]) => [key, value ?? ''])]
    const result = Number(await this.#connection.run(writeData, this.#keysOf(id), args))
    return result === 1 ? 'written' : result === 0 ? 'full' : 'absent'
  }

  async swapData(
    id: SessionId,
    key: string,
    expected: string | null,
    next: string | null,
    { maxKeys }: SessionDataLimits,
  ): Promise<'swapped' | 'conflict' | 'full' | 'absent'> {
    const args = [this.#grace, String(maxKeys), expected ?? '', key, next ?? '']
    const result = Number(await this.#connection.run(swapData, this.#keysOf(id), args))
    if (result === 2) return 'conflict'
    return result === 1 ? 'swapped' : result === 0 ? 'full' : 'absent'
  }

  #keysOf(id: SessionId): string[] {
    return [`${this.#prefix}session:{${id}}`, `${this.#prefix}data:{${id}}`]
  }
}
