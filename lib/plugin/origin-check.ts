import type { FastifyRequest } from 'fastify'
import type { Session } from '../../types/session.js'
import { GoseshError } from '../core/errors.js'
import type { SessionEvents } from '../session/events.js'

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE'])

export interface OriginSettings {
  readonly trustedOrigins: readonly string[]
  readonly dangerouslyAllowCrossOriginRequests: boolean
}

/** A WebSocket is opened by a GET, and can do what a POST can (OWASP ASVS 4.4.2). */
function isUnsafe(request: FastifyRequest): boolean {
  return !safeMethods.has(request.method) || request.headers.upgrade !== undefined
}

/**
 * Refuses requests of unsafe methods that a browser sent from a page of another origin. It decides by `Sec-Fetch-Site`,
 * and by `Origin` if a browser does not send that. A client that sends neither header is not a browser.
 */
export class OriginCheck {
  readonly #trusted: ReadonlySet<string>
  readonly #allowAll: boolean

  constructor({ trustedOrigins, dangerouslyAllowCrossOriginRequests }: OriginSettings) {
    this.#trusted = new Set(trustedOrigins)
    this.#allowAll = dangerouslyAllowCrossOriginRequests
  }

  refuses(request: FastifyRequest): boolean {
    if (!isUnsafe(request) || this.#allowAll) return false
    return isCrossOrigin(request, this.#trusted, (origin) => isOwnOrigin(origin, request))
  }
}

/**
 * True if a browser sent the request from a page of an origin that is not trusted. `isOwn` is asked only about a browser
 * that does not say so itself, by `Sec-Fetch-Site`.
 */
export function isCrossOrigin(
  request: FastifyRequest,
  trusted: ReadonlySet<string>,
  isOwn: (origin: string) => boolean = () => false,
): boolean {
  const { origin, 'sec-fetch-site': site } = request.headers
  if (origin !== undefined && trusted.has(origin)) return false
  if (site !== undefined) return site !== 'same-origin' && site !== 'none'
  return origin !== undefined && !isOwn(origin)
}

/** True if the origin names the host that the request was sent to, by the scheme that it came over. */
function isOwnOrigin(origin: string, request: FastifyRequest): boolean {
  return origin.toLowerCase() === `${request.protocol}://${request.host}`.toLowerCase()
}

/** The error for a refused request, published as a security event. */
export function crossOriginError(
  request: FastifyRequest,
  session: Session | null,
  events: SessionEvents,
): GoseshError {
  const { method, headers } = request
  const by = { sessionId: session?.id ?? null, userId: session?.userId ?? null, method }
  events.crossOriginRefused({ ...by, origin: headers.origin ?? null }, { reqId: request.id })
  return new GoseshError('GOSESH_ERR_CROSS_ORIGIN')
}
