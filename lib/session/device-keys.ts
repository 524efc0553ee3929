import type { SessionId } from '../../types/session.js'
import { type DeviceKey, parseDetails } from '../core/details.js'
import { storeError } from './bounded-store.js'
import type { Context } from './context.js'
import { liveSession } from './lifetime.js'

/** The key that a live session is bound to; `null` if it is not, or has ended. One read, and no activity. */
export async function findDeviceKey(context: Context, id: SessionId): Promise<DeviceKey | null> {
  const record = await context.store.getSession(id)
  if (record === null) return null
  try {
    const pending = context.tracking?.pending.latest(id)
    if (liveSession(record, pending, context.clock.now(), context) === null) return null
    return parseDetails(record.details).device
  } catch (error) {
    // Whatever its type says, a store may answer with what is no session.
    throw storeError('getSession', error)
  }
}
