import type * as types from '../../types/errors.js'
import type { GoseshErrorCode } from '../../types/errors.js'

interface ErrorEntry {
  readonly statusCode: number
  readonly message: string
}

const table: Readonly<Record<GoseshErrorCode, ErrorEntry>> = {
  GOSESH_ERR_ACTIVITY_TIME: { statusCode: 500, message: 'The time of an activity must be a valid Date' },
  GOSESH_ERR_CREDENTIAL_NOT_WRITABLE: {
    statusCode: 500,
    message:
      'None of the configured credentials can be written to a reply; use app.gosesh.createSession and give the token in the response body',
  },
  GOSESH_ERR_CROSS_ORIGIN: { statusCode: 403, message: 'The request comes from another origin' },
  GOSESH_ERR_DATA_KEY: {
    statusCode: 500,
    message: 'A key of session data is 1 to 64 characters of well-formed Unicode without NUL',
  },
  GOSESH_ERR_DATA_TOO_LARGE: { statusCode: 413, message: 'The session cannot hold as much data' },
  GOSESH_ERR_DATA_VALUE: { statusCode: 500, message: 'JSON cannot hold the value' },
  GOSESH_ERR_DEVICE_PROOF: {
    statusCode: 401,
    message: 'The browser did not prove that it holds the key of this session; sign in again',
  },
  GOSESH_ERR_FACTOR_MISSING: { statusCode: 401, message: 'Confirm in another way that it is you to do this' },
  GOSESH_ERR_FLUSH: { statusCode: 500, message: 'A batch of session activity could not be written' },
  GOSESH_ERR_METADATA: {
    statusCode: 500,
    message: 'Session metadata must be a plain object of strings, at most 4 KiB as JSON',
  },
  GOSESH_ERR_NOT_READY: {
    statusCode: 500,
    message: 'The session store is not known before the app is ready; await app.ready() first',
  },
  GOSESH_ERR_NOT_REGISTERED: {
    statusCode: 500,
    message:
      'gosesh is not registered in this context, in which a session is wanted; await app.register(gosesh) before it',
  },
  GOSESH_ERR_OAUTH_ACCESS_DENIED: { statusCode: 403, message: 'The sign-in was cancelled at the provider' },
  GOSESH_ERR_OAUTH_PEER_MISSING: {
    statusCode: 500,
    message: 'gosesh/oauth needs two packages; run npm install openid-client jose',
  },
  GOSESH_ERR_OAUTH_PROVIDER: { statusCode: 502, message: 'The sign-in provider answered with an error' },
  GOSESH_ERR_OAUTH_PROVIDER_UNAVAILABLE: {
    statusCode: 503,
    message: 'The sign-in provider is unavailable; try again in a moment',
  },
  GOSESH_ERR_OAUTH_REFUSED: { statusCode: 403, message: 'The sign-in was refused' },
  GOSESH_ERR_OAUTH_REQUEST: { statusCode: 400, message: 'The request is not what this address takes' },
  GOSESH_ERR_OAUTH_TOO_MANY_ATTEMPTS: { statusCode: 429, message: 'Too many wrong codes; wait a minute' },
  GOSESH_ERR_OAUTH_TRANSACTION: {
    statusCode: 400,
    message: 'This sign-in is over, or was begun in another browser; start again',
  },
  GOSESH_ERR_OAUTH_USER_CODE: { statusCode: 400, message: 'This code is wrong, used or expired' },
  GOSESH_ERR_OAUTH_VERIFICATION: {
    statusCode: 400,
    message: 'What the sign-in provider sent could not be verified; start again',
  },
  GOSESH_ERR_OPTION: { statusCode: 500, message: 'An option is wrong' },
  GOSESH_ERR_REGISTERED_TWICE: {
    statusCode: 500,
    message: 'gosesh is already registered in this context or in one around it',
  },
  GOSESH_ERR_REPLY_SENT: {
    statusCode: 500,
    message:
      'The reply was sent before the credential could be written; await reply.signIn(…) before replying',
  },
  GOSESH_ERR_SESSION_EXISTS: { statusCode: 500, message: 'A session with this id exists already' },
  GOSESH_ERR_SESSION_ID: { statusCode: 500, message: 'A session id is 22 characters of base64url' },
  GOSESH_ERR_SIGN_IN_NOT_RECENT: { statusCode: 401, message: 'Confirm that it is you to do this' },
  GOSESH_ERR_STORE_CAPABILITY: { statusCode: 500, message: 'The session store lacks a method' },
  GOSESH_ERR_STORE_FULL: { statusCode: 503, message: 'The session store holds as many sessions as it may' },
  GOSESH_ERR_STORE_SCHEMA: {
    statusCode: 500,
    message:
      'The tables of the session store are missing or older than this version; run await store.migrate()',
  },
  GOSESH_ERR_STORE_UNAVAILABLE: { statusCode: 503, message: 'The session store is unavailable' },
  GOSESH_ERR_TOO_MANY_SESSIONS: { statusCode: 409, message: 'Sign out on another device first' },
  GOSESH_ERR_UNAUTHENTICATED: { statusCode: 401, message: 'Sign in first' },
  GOSESH_ERR_USER_ID: {
    statusCode: 500,
    message: 'A user id is a non-empty, well-formed string without NUL, at most 1,000 characters',
  },
}

export interface GoseshErrorOptions {
  /** What went wrong exactly. Default: the message of the table. */
  readonly message?: string
  /** The HTTP status that Fastify answers with. Default: that of the table. */
  readonly statusCode?: number
  /** Response headers that Fastify adds when it answers with this error. */
  readonly headers?: Readonly<Record<string, string>>
  readonly cause?: unknown
}

/** An error of gosesh: `code` names it, `statusCode` is what Fastify answers with, `cause` is what lies beneath. */
export class GoseshError extends Error implements types.GoseshError {
  readonly code: GoseshErrorCode
  readonly statusCode: number
  declare readonly headers?: Readonly<Record<string, string>>

  constructor(code: GoseshErrorCode, options: GoseshErrorOptions = {}) {
    const entry = table[code]
    super(options.message ?? entry.message, 'cause' in options ? { cause: options.cause } : undefined)
    this.code = code
    this.statusCode = options.statusCode ?? entry.statusCode
    if (options.headers !== undefined) this.headers = options.headers
  }

  static {
    GoseshError.prototype.name = 'GoseshError'
  }
}

/** A batch of activity that failed or timed out (`GOSESH_ERR_FLUSH`). It went back to pending. */
export class FlushError extends GoseshError implements types.FlushError {
  /** Sessions in the batch. */
  readonly batchSize: number

  constructor(batchSize: number, cause: unknown) {
    super('GOSESH_ERR_FLUSH', { cause })
    this.batchSize = batchSize
  }

  static {
    FlushError.prototype.name = 'FlushError'
  }
}

/** True for an error of any copy of gosesh: an application may have one of the plugin and another one of its store. */
export function isGoseshError(error: unknown): error is GoseshError {
  if (!(error instanceof Error)) return false
  const { code, statusCode } = error as Partial<GoseshError>
  return typeof code === 'string' && Object.hasOwn(table, code) && typeof statusCode === 'number'
}

/** Every code, sorted. */
export const errorCodes: readonly GoseshErrorCode[] = Object.keys(table) as GoseshErrorCode[]
