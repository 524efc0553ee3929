import type { SessionRecord } from '../../types/store.js'
import { GoseshError, isGoseshError } from '../core/errors.js'
import { answerTo } from './bounded-store.js'
import type { Context } from './context.js'

/** Inserts the session, or the visitor, whose id is new. If that fails, one that the store creates after all is deleted again. */
export async function insertRecord(
  { store }: Pick<Context, 'store'>,
  record: SessionRecord,
  data: ReadonlyMap<string, string> | undefined,
): Promise<void> {
  try {
    await store.createSession(record, data)
  } catch (error) {
    // Past the limits, which a store that has just come back may still be at.
    const undo = (): Promise<unknown> => store.raw.deleteSession(record.id)
    // Nobody holds the token, so this only spares the user's list a session that was never used.
    answerTo(error)
      ?.then(undo, undo)
      .catch(() => {})
    // No other session has this new id: a client that lost its connection sent the creation twice.
    const sentTwice = isGoseshError(error) && error.code === 'GOSESH_ERR_SESSION_EXISTS'
    throw sentTwice ? new GoseshError('GOSESH_ERR_STORE_UNAVAILABLE', { cause: error }) : error
  }
}
