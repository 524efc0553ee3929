import { FlushError, GoseshError } from '../core/errors.js'
import { redirectToSignIn } from '../core/redirect-to-sign-in.js'
import { requireSession } from '../core/require-session.js'
import { returnTo } from '../core/return-to.js'
import { isSessionId } from '../core/token.js'
import { bearerCredential } from '../credentials/bearer.js'
import { cookieCredential } from '../credentials/cookie.js'
import { nistLifetimes } from '../credentials/nist-lifetimes.js'
import { openApiSecuritySchemes } from '../credentials/openapi.js'
import { MemoryStore } from '../stores/memory/store.js'
import { plugin } from './plugin.js'

export type * from '../../types/activity.js'
export type * from '../../types/credential.js'
export type * from '../../types/data.js'
export type * from '../../types/device-binding.js'
export type * from '../../types/device-code.js'
export type * from '../../types/errors.js'
export type * from '../../types/events.js'
export type * from '../../types/manager.js'
export type * from '../../types/openapi.js'
export type * from '../../types/options.js'
export type * from '../../types/policy.js'
export type * from '../../types/return-to.js'
export type * from '../../types/revocation-log.js'
export type * from '../../types/session.js'
export type * from '../../types/session-cache.js'
export type * from '../../types/store.js'
export type { BearerCredentialOptions } from '../credentials/bearer.js'
export type { MemoryStoreOptions } from '../stores/memory/store.js'

const named = {
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

/** The plugin. `require('gosesh')` is this function too, so the other exports hang on it. */
const gosesh: typeof plugin & typeof named = Object.assign(plugin, named)

export default gosesh
export {
  bearerCredential,
  cookieCredential,
  FlushError,
  GoseshError,
  gosesh as 'module.exports',
  isSessionId,
  MemoryStore,
  nistLifetimes,
  openApiSecuritySchemes,
  redirectToSignIn,
  requireSession,
  returnTo,
}
