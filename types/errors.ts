/** Every code that gosesh fails with. Branch on `error.code`, never on the message. */
export type GoseshErrorCode =
  | 'GOSESH_ERR_ACTIVITY_TIME'
  | 'GOSESH_ERR_CREDENTIAL_NOT_WRITABLE'
  | 'GOSESH_ERR_CROSS_ORIGIN'
  | 'GOSESH_ERR_DATA_KEY'
  | 'GOSESH_ERR_DATA_TOO_LARGE'
  | 'GOSESH_ERR_DATA_VALUE'
  | 'GOSESH_ERR_DEVICE_PROOF'
  | 'GOSESH_ERR_FACTOR_MISSING'
  | 'GOSESH_ERR_FLUSH'
  | 'GOSESH_ERR_METADATA'
  | 'GOSESH_ERR_NOT_READY'
  | 'GOSESH_ERR_NOT_REGISTERED'
  | 'GOSESH_ERR_OAUTH_ACCESS_DENIED'
  | 'GOSESH_ERR_OAUTH_PEER_MISSING'
  | 'GOSESH_ERR_OAUTH_PROVIDER'
  | 'GOSESH_ERR_OAUTH_PROVIDER_UNAVAILABLE'
  | 'GOSESH_ERR_OAUTH_REFUSED'
  | 'GOSESH_ERR_OAUTH_REQUEST'
  | 'GOSESH_ERR_OAUTH_TOO_MANY_ATTEMPTS'
  | 'GOSESH_ERR_OAUTH_TRANSACTION'
  | 'GOSESH_ERR_OAUTH_USER_CODE'
  | 'GOSESH_ERR_OAUTH_VERIFICATION'
  | 'GOSESH_ERR_OPTION'
  | 'GOSESH_ERR_REGISTERED_TWICE'
  | 'GOSESH_ERR_REPLY_SENT'
  | 'GOSESH_ERR_SESSION_EXISTS'
  | 'GOSESH_ERR_SESSION_ID'
  | 'GOSESH_ERR_SIGN_IN_NOT_RECENT'
  | 'GOSESH_ERR_STORE_CAPABILITY'
  | 'GOSESH_ERR_STORE_FULL'
  | 'GOSESH_ERR_STORE_SCHEMA'
  | 'GOSESH_ERR_STORE_UNAVAILABLE'
  | 'GOSESH_ERR_TOO_MANY_SESSIONS'
  | 'GOSESH_ERR_UNAUTHENTICATED'
  | 'GOSESH_ERR_USER_ID'

/** An error of gosesh: `code` names it, `statusCode` is what Fastify answers with, `cause` is what lies beneath. */
export interface GoseshError extends Error {
  readonly code: GoseshErrorCode
  readonly statusCode: number
  /** Response headers that Fastify adds when it answers with this error. */
  readonly headers?: Readonly<Record<string, string>>
}

/** A batch of activity that failed or timed out (`GOSESH_ERR_FLUSH`). It went back to pending. */
export interface FlushError extends GoseshError {
  /** Sessions in the batch. */
  readonly batchSize: number
}
