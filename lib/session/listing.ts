import type { Session } from '../../types/session.js'
import { requireCapability } from '../core/capabilities.js'
import { withActivity } from './lifetime.js'
import { liveSession } from './policy.js'
import { type Runtime, storeCalls } from './runtime.js'

/** The user's live sessions, the most recently active first, pending activity included. */
export async function listLiveSessions(
  runtime: Runtime,
  userId: string,
  neededBy: string,
): Promise<Session[]> {
  const calls = storeCalls(runtime)
  const store = requireCapability(calls.store, 'listUserSessions', neededBy)
  const stored = await calls.run('listUserSessions', () => store.listUserSessions(userId))
  const { clock, tracking, policy } = runtime
  const now = clock.now()
  return stored
    .map((session) => liveSession(withActivity(session, tracking?.pending.latest(session.id)), now, policy))
    .filter((session) => session !== null)
    .sort((a, b) => b.lastActivityAt.getTime() - a.lastActivityAt.getTime())
}
