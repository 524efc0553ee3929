import type { FastifyRequest } from 'fastify'
import type { SessionDataAccess } from '../../types/data.js'
import type { Session, SessionId, SessionIdInput } from '../../types/session.js'
import { GoseshError } from '../core/errors.js'
import { sessionOf } from '../core/internals.js'
import { isSessionId } from '../core/token.js'
import { type DataOwner, SessionDataCalls } from '../data/session-data.js'
import { Turns } from '../data/turns.js'
import type { Settings } from '../options/options.js'
import type { ContextSource } from '../session/context.js'
import type { SessionServices } from '../session/services.js'
import type { Challenges } from './challenges.js'
import { requestState, stateOfRequest } from './request-state.js'
import type { Visitors } from './visitors.js'

/** From here on the data of the request is that of this session, which begins with `data`; `null`: of none. */
export function changeSession(
  request: FastifyRequest,
  session: Session | null,
  data: ReadonlyMap<string, string> = new Map(),
): void {
  const state = stateOfRequest(request)
  state.session = session
  state.held?.begin(session?.id ?? null, data)
}

/** Writes what the request holds in memory. */
export async function saveHeldData(request: FastifyRequest): Promise<void> {
  await request[requestState]?.held?.save()
}

/** Makes `request.sessionData`; a request that does not ask for it costs nothing. */
export class RequestData {
  readonly #source: ContextSource
  readonly #settings: Settings
  readonly #services: SessionServices
  readonly #challenges: Challenges
  readonly #visitors: Visitors | null
  readonly #turns: Turns

  constructor(
    source: ContextSource,
    settings: Settings,
    services: SessionServices,
    challenges: Challenges,
    visitors: Visitors | null,
  ) {
    this.#source = source
    this.#settings = settings
    this.#services = services
    this.#challenges = challenges
    this.#visitors = visitors
    this.#turns = new Turns(settings.storeTimeout)
  }

  of(request: FastifyRequest): SessionDataCalls {
    const state = stateOfRequest(request)
    if (state.data !== null) return state.data
    const refuse = () => this.#challenges.unauthenticated(request)
    const visitors = this.#visitors
    state.data = this.#access('request.sessionData', refuse, {
      find: () => this.#find(request, visitors && (() => visitors.find(request))),
      findToWrite: () => this.#find(request, visitors && (() => visitors.findToWrite(request))),
      create: visitors && ((data, id) => visitors.create(request, data, id)),
    })
    return state.data
  }

  /** The session that the request has by now. */
  sessionOf(request: FastifyRequest): Session | null {
    const session = request[requestState]?.session
    return session === undefined ? sessionOf(request) : session
  }

  /** The data of any session, for `app.gosesh`: each call reads first if it is alive. */
  ofSession(id: SessionIdInput): SessionDataAccess {
    const refuse = () => new GoseshError('GOSESH_ERR_UNAUTHENTICATED')
    const find = async (): Promise<SessionId> => {
      if (isSessionId(id) && (await this.#isAlive(id))) return id
      throw refuse()
    }
    return this.#access('app.gosesh.sessionData()', refuse, { find, findToWrite: find, create: null })
  }

  #access(
    neededBy: string,
    refuse: () => GoseshError,
    calls: Pick<DataOwner, 'find' | 'findToWrite' | 'create'>,
  ): SessionDataCalls {
    const source = this.#source
    const owner: DataOwner = {
      get store() {
        return source.context.store
      },
      turns: this.#turns,
      refuse,
      ...calls,
    }
    return new SessionDataCalls(owner, this.#settings.data, neededBy)
  }

  async #isAlive(id: SessionId): Promise<boolean> {
    return (await this.#services.verifier.find(id, this.#settings.clock.now())) !== null
  }

  /** The session, by what is known of it, and only if that may be out of date by one read; without one the visitor. */
  async #find(
    request: FastifyRequest,
    findVisitor: (() => Promise<SessionId | null>) | null,
  ): Promise<SessionId | null> {
    const session = this.sessionOf(request)
    if (session === null) return findVisitor === null ? null : await findVisitor()
    const { idleDeadline, absoluteDeadline, id } = session
    if (this.#settings.clock.now() < (idleDeadline ?? absoluteDeadline).getTime()) return id
    if (await this.#isAlive(id)) return id
    throw this.#challenges.unauthenticated(request)
  }
}
