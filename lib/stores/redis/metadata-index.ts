import { hash } from 'node:crypto'
import type { SessionId, SessionMetadata } from '../../../types/session.js'
import type { SessionRecord } from '../../../types/store.js'
import { GoseshError } from '../../core/errors.js'
import { keyAmong, type MetadataPair, pairsOf } from '../shared/metadata.js'
import type { RedisConnection } from './connection.js'
import { addMetadataEntry, listIds, removeIds } from './index-scripts.js'

/** One session in the index of one of its facts. */
export interface MetadataEntry {
  /** The key of the index. */
  readonly key: string
  readonly id: SessionId
  readonly deadline: string
}

/**
 * Which sessions hold a fact in their metadata: a sorted set of session ids for each fact with one of the given keys,
 * by absolute deadline. An entry is added before its session is written, and removed only by who deleted that session:
 * so a session that exists is in the index, wherever two nodes cross. What the index says is looked up in the session.
 * An update adds its entries before it writes the session, too; those of metadata that it replaced are left behind, as
 * another update may have brought it back.
 *
 * The entry of a session that ended in another way, or of such metadata, stays until the absolute deadline has passed.
 */
export class MetadataIndex {
  readonly #connection: RedisConnection
  readonly #prefix: string
  readonly #grace: string
  readonly #keys: readonly string[]

  constructor(
    connection: RedisConnection,
    settings: { readonly prefix: string; readonly grace: number; readonly keys: readonly string[] },
  ) {
    this.#connection = connection
    this.#prefix = `${settings.prefix}metadata-sessions:`
    this.#grace = String(settings.grace)
    this.#keys = settings.keys
  }

  /** The entries of a session to come, taken down at once: the caller may change the session meanwhile. */
  entriesFor({ id, metadata, absoluteDeadline }: SessionRecord): MetadataEntry[] {
    const deadline = String(absoluteDeadline.getTime())
    return pairsOf(metadata, this.#keys).map((fact) => ({ key: this.#indexOf(fact), id, deadline }))
  }

  async add(entries: readonly MetadataEntry[]): Promise<void> {
    await Promise.all(
      entries.map(({ key, id, deadline }) =>
        this.#connection.run(addMetadataEntry, [key], [this.#grace, deadline, id]),
      ),
    )
  }

  /** The sessions among which those with the pairs are. Throws `GOSESH_ERR_OPTION` if no key has an index. */
  async find(pairs: SessionMetadata): Promise<SessionId[]> {
    const key = keyAmong(this.#keys, pairs)
    if (key === undefined) throw this.#withoutIndex()
    const index = this.#indexOf([key, pairs[key] as string])
    return (await this.#connection.run(listIds, [index])) as SessionId[]
  }

  /** Takes sessions out that were deleted. */
  async removeSessions(sessions: readonly SessionRecord[]): Promise<void> {
    const entries = sessions.flatMap((session) => this.entriesFor(session))
    const keys = entries.map(({ key }) => key)
    await this.#connection.runEach(
      removeIds,
      keys,
      [],
      entries.map(({ id }) => id),
    )
  }

  /** A hash, because a value may be long, and braces in it would choose the slot in a cluster. */
  #indexOf(fact: MetadataPair): string {
    return this.#prefix + hash('sha256', JSON.stringify(fact), 'base64url')
  }

  #withoutIndex(): GoseshError {
    return new GoseshError('GOSESH_ERR_OPTION', {
      message: `RedisStore finds sessions by ${this.#keys.join(', ')}, of which none is among the pairs; name another key in its option indexedMetadata`,
    })
  }
}
