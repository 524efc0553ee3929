import type {
  ActivityRecorder,
  AllSessionsDeleter,
  DeviceCodeStore,
  ExpiredSessionSweeper,
  MetadataSessionsDeleter,
  SchemaChecker,
  SessionLister,
  SessionStore,
} from '../../types/store.js'
import { GoseshError } from './errors.js'
import { hasMethods } from './validation.js'

/** The optional methods of a store, each with the interface that it belongs to. */
interface CapabilityMethods extends Record<keyof DeviceCodeStore, DeviceCodeStore> {
  batchRecordActivity: ActivityRecorder
  listUserSessions: SessionLister
  deleteExpiredSessions: ExpiredSessionSweeper
  deleteAllSessions: AllSessionsDeleter
  deleteSessionsByMetadata: MetadataSessionsDeleter
  checkSchema: SchemaChecker
}

/** True if the store has the optional method. */
export function hasCapability<M extends keyof CapabilityMethods>(
  store: SessionStore,
  method: M,
): store is SessionStore & CapabilityMethods[M] {
  return hasMethods(store, [method])
}

/** The store, known to have the method; or throws `GOSESH_ERR_STORE_CAPABILITY`, naming what needs it. */
export function requireCapability<M extends keyof CapabilityMethods>(
  store: SessionStore,
  method: M,
  neededBy: string,
): SessionStore & CapabilityMethods[M] {
  if (hasCapability(store, method)) return store
  throw new GoseshError('GOSESH_ERR_STORE_CAPABILITY', {
    message: `${neededBy} needs a store with the method ${method}`,
  })
}
