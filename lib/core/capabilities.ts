import type { SessionDataStore } from '../../types/data.js'
import type { DeviceCodeStore } from '../../types/device-code.js'
import type { RevocationLog } from '../../types/revocation-log.js'
import type {
  ActivityRecorder,
  AllSessionsDeleter,
  DeviceCodeProvider,
  ExpiredSessionSweeper,
  MetadataSessionsDeleter,
  SchemaChecker,
  SessionLister,
  SessionStore,
  SessionUpdater,
  UserDeleter,
} from '../../types/store.js'
import { GoseshError } from './errors.js'
import { hasMethods } from './validation.js'

/** The optional methods of a store, each with the interface that it belongs to. */
interface CapabilityMethods {
  batchRecordActivity: ActivityRecorder
  listUserSessions: SessionLister
  deleteExpiredSessions: ExpiredSessionSweeper
  deleteAllSessions: AllSessionsDeleter
  deleteSessionsByMetadata: MetadataSessionsDeleter
  checkSchema: SchemaChecker
  updateSession: SessionUpdater
  deleteUser: UserDeleter
  readData: SessionDataStore
  readRevocations: RevocationLog
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

/** The methods of `store.deviceCodes`. */
export const deviceCodeMethods = [
  'createDeviceCode',
  'getDeviceCode',
  'findDeviceCode',
  'recordDevicePoll',
  'decideDeviceCode',
  'consumeDeviceCode',
  'deleteExpiredDeviceCodes',
] as const satisfies readonly (keyof DeviceCodeStore)[]

/** The store's `deviceCodes`; throws `GOSESH_ERR_STORE_CAPABILITY` if it has none, or if that lacks a method. */
export function requireDeviceCodes(
  { deviceCodes }: SessionStore & Partial<DeviceCodeProvider>,
  neededBy: string,
): DeviceCodeStore {
  const missing = deviceCodeMethods.find((method) => !hasMethods(deviceCodes, [method]))
  if (missing === undefined) return deviceCodes as DeviceCodeStore
  throw new GoseshError('GOSESH_ERR_STORE_CAPABILITY', {
    message: `${neededBy} needs a store with the method deviceCodes.${missing}`,
  })
}
