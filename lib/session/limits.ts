import type { Session, SessionId } from '../../types/session.js'
import { GoseshError } from '../core/errors.js'
import type { Context } from './context.js'
import { listLiveSessions } from './list.js'

/** By this much a session that carries on an earlier sign-in spares those that were just created. */
const carriedMargin = 10_000

/** The order of sign-ins, the same for every node that compares the same two. */
function beganAfter(created: Session, other: Session): boolean {
  const { createdAt, lastActivityAt } = created
  // For the others a session of an earlier sign-in is an old one, so one that is created at the same moment ends it.
  const carried = createdAt < lastActivityAt
  const began = carried ? lastActivityAt.getTime() - carriedMargin : createdAt.getTime()
  const later = began - other.createdAt.getTime()
  return later > 0 || (later === 0 && created.id > other.id)
}

function list(context: Context, userId: string): Promise<Session[]> {
  return listLiveSessions(context, userId, 'The option maxSessionsPerUser')
}

/**
 * Enforces `maxSessionsPerUser` before a session is created: with `whenFull: 'refuse'`, rejects with
 * `GOSESH_ERR_TOO_MANY_SESSIONS`. No store counts and creates in one step, so sign-ins of one user that run at once may
 * pass the limit, by at most their number.
 */
export async function checkSessionLimit(
  context: Context,
  { userId }: Session,
  replaced: SessionId | null,
): Promise<void> {
  const { maxSessionsPerUser } = context
  if (maxSessionsPerUser?.whenFull !== 'refuse') return
  const others = (await list(context, userId)).filter((session) => session.id !== replaced)
  if (others.length < maxSessionsPerUser.limit) return
  throw new GoseshError('GOSESH_ERR_TOO_MANY_SESSIONS')
}

/**
 * Enforces `maxSessionsPerUser` once a session is created: returns the least recently active sessions past the limit,
 * which are to end. The one that it replaces does not count, as that ends anyway.
 */
export async function sessionsPastLimit(
  context: Context,
  created: Session,
  replaced: SessionId | null,
): Promise<readonly Session[]> {
  const { maxSessionsPerUser } = context
  if (maxSessionsPerUser?.whenFull !== 'endLeastRecent') return []
  const others = (await list(context, created.userId)).filter(
    ({ id }) => id !== created.id && id !== replaced,
  )
  // The list begins with the most recent. If two sign-ins that run at once each ended the other, the user would be left
  // with neither, so only the later one ends the earlier.
  return others.slice(maxSessionsPerUser.limit - 1).filter((session) => beganAfter(created, session))
}
