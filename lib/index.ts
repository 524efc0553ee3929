import { bearerCredential } from './credentials/bearer.js'
import { cookieCredential } from './credentials/cookie.js'
import { nistLifetimes } from './credentials/lifetimes.js'
import { FlushError, GoseshError } from './errors.js'
import { openApiSecuritySchemes } from './openapi.js'
import { plugin } from './plugin.js'
import { redirectToSignIn } from './redirect-to-sign-in.js'
import { requireSession } from './require-session.js'
import { returnTo } from './return-to.js'
import { MemoryStore } from './stores/memory.js'
import { isSessionId } from './token.js'

export type { ActivityStats, ActivityTracker } from '../types/activity.js'
export type { Credential } from '../types/credential.js'
export type {
  DeviceCode,
  DeviceCodeDecision,
  DeviceCodeId,
  DevicePoll,
  UserCodeId,
} from '../types/device-code.js'
export type {
  CrossOriginMessage,
  EventError,
  FlushMessage,
  SessionEnd,
  SessionEndListener,
  SessionEndReason,
  SignInMessage,
  SignOutMessage,
  SweepMessage,
  VerifyMessage,
} from '../types/events.js'
export type { SessionManager } from '../types/manager.js'
export type { OpenApiSecurityScheme } from '../types/openapi.js'
export type {
  ActivityTrackingOptions,
  ClearSiteDataType,
  Clock,
  CreateSessionOptions,
  DeleteSessionOptions,
  DeleteUserSessionsOptions,
  GoseshOptions,
  Logger,
  RouteSessionOptions,
  SessionLimitOptions,
  SignInOptions,
  SignOutOptions,
  VerifyTokenOptions,
} from '../types/options.js'
export type { EffectivePolicy } from '../types/policy.js'
export type {
  RedirectToSignInHook,
  RedirectToSignInOptions,
  ReplyForSignIn,
  RequestForSignIn,
  ReturnToOptions,
} from '../types/return-to.js'
export type {
  Session,
  SessionId,
  SessionIdInput,
  SessionLifetime,
  SessionMetadata,
  SessionToken,
  TokenInput,
} from '../types/session.js'
export type {
  ActivityRecorder,
  AllSessionsDeleter,
  DeviceCodeStore,
  ExpiredSessionSweeper,
  MetadataSessionsDeleter,
  SchemaChecker,
  SelfExpiring,
  SessionExtension,
  SessionLister,
  SessionStore,
} from '../types/store.js'
export type { BearerCredentialOptions } from './credentials/bearer.js'
export type { CookieCredentialOptions } from './credentials/cookie.js'
export type { GoseshErrorCode } from './errors.js'
export type { MemoryStoreOptions } from './stores/memory.js'
export {
  bearerCredential,
  cookieCredential,
  FlushError,
  GoseshError,
  isSessionId,
  MemoryStore,
  nistLifetimes,
  openApiSecuritySchemes,
  redirectToSignIn,
  requireSession,
  returnTo,
}

interface NamedExports {
  readonly bearerCredential: typeof bearerCredential
  readonly cookieCredential: typeof cookieCredential
  readonly FlushError: typeof FlushError
  readonly GoseshError: typeof GoseshError
  readonly isSessionId: typeof isSessionId
  readonly MemoryStore: typeof MemoryStore
  readonly nistLifetimes: typeof nistLifetimes
  readonly openApiSecuritySchemes: typeof openApiSecuritySchemes
  readonly redirectToSignIn: typeof redirectToSignIn
  readonly requireSession: typeof requireSession
  readonly returnTo: typeof returnTo
}

/** The plugin. `require('gosesh')` is this function too, so the other exports hang on it. */
const gosesh: typeof plugin & NamedExports = Object.assign(plugin, {
  bearerCredential,
  cookieCredential,
  FlushError,
  GoseshError,
  isSessionId,
  MemoryStore,
  nistLifetimes,
  openApiSecuritySchemes,
  redirectToSignIn,
  requireSession,
  returnTo,
})

export default gosesh
export { gosesh as 'module.exports' }
