import type { SessionLimitOptions } from '../../types/options.js'
import type { Session, SessionId } from '../../types/session.js'
import { GoseshError } from '../core/errors.js'
import { listLiveSessions } from './listing.js'
import type { Runtime } from './runtime.js'

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

/**
 * Holds a user to so many sessions. No store counts and creates in one step, so sign-ins of one user that run at
 * once may pass the limit, by at most their number.
 */
export class SessionLimit {
  readonly #options: Required<SessionLimitOptions>
  readonly #runtime: Runtime

  constructor(options: Required<SessionLimitOptions>, runtime: Runtime) {
    this.#options = options
    this.#runtime = runtime
  }

  /** Before the session is created: rejects with `GOSESH_ERR_TOO_MANY_SESSIONS` if the choice is to refuse. */
  async admit({ userId }: Session, replaced: SessionId | null): Promise<void> {
    const { limit, whenFull } = this.#options
    if (whenFull !== 'refuse') return
    const others = (await this.#list(userId)).filter((session) => session.id !== replaced)
    if (others.length < limit) return
    throw new GoseshError('GOSESH_ERR_TOO_MANY_SESSIONS')
  }

  /**
   * Once the session is created: returns the least recently active ones past the limit, which are to end. The one that it
   * replaces does not count, as that ends anyway.
   */
  async excess(created: Session, replaced: SessionId | null): Promise<readonly Session[]> {
    const { limit, whenFull } = this.#options
    if (whenFull !== 'endLeastRecent') return []
    const others = (await this.#list(created.userId)).filter(({ id }) => id !== created.id && id !== replaced)
    // The list begins with the most recent. A later sign-in that runs at once judges this one: each ending the
    // other would leave the user with neither.
    return others.slice(limit - 1).filter((session) => beganAfter(created, session))
  }

  #list(userId: string): Promise<Session[]> {
    return listLiveSessions(this.#runtime, userId, 'The option maxSessionsPerUser')
  }
}
