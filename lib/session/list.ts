import type { Session } from '../../types/session.js'
import { requireCapability } from '../core/capabilities.js'
import type { Context } from './context.js'
import { liveSession } from './lifetime.js'

/** The user's live sessions, the most recently active first, pending activity included. */
export async function listLiveSessions(
  context: Context,
  userId: string,
  neededBy: string,
): Promise<Session[]> {
  const { clock, tracking } = context
  const store = requireCapability(context.store, 'listUserSessions', neededBy)
  const stored = await store.listUserSessions(userId)
  const now = clock.now()
  return stored
    .map((record) => liveSession(record, tracking?.pending.latest(record.id), now, context))
    .filter((session) => session !== null)
    .sort((a, b) => b.lastActivityAt.getTime() - a.lastActivityAt.getTime())
}
