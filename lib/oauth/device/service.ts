import type { FastifyInstance } from 'fastify'
import type { DeviceCode, DeviceCodeId, DeviceCodeStore } from '../../../types/device-code.js'
import type { Clock } from '../../../types/options.js'
import type { Session, SessionToken } from '../../../types/session.js'
import { hasCapability, requireDeviceCodes } from '../../core/capabilities.js'
import { GoseshError } from '../../core/errors.js'
import { type Internals, internals } from '../../core/internals.js'
import type { DeviceSettings } from '../options.js'
import { createDeviceCode, createUserCode, deviceCodeId, isDeviceCodeId, userCodeId } from './codes.js'

/** What RFC 8628, section 3.5, and RFC 6749, section 5.2, let a device be told. */
export type DeviceError =
  | 'authorization_pending'
  | 'slow_down'
  | 'expired_token'
  | 'access_denied'
  | 'invalid_grant'

export interface StartedDevice {
  readonly deviceCode: string
  readonly userCode: string
}

/** The session's metadata key with the client that the device says it is. */
export const clientKey = 'device_client'
/** The code's metadata key with where the device is. It does not become the session's. */
export const placeKey = 'device_place'
/** The session's metadata key with the id of the code that it came of: what `undo` finds it by. */
const codeKey = 'device_code'
/** RFC 8628, section 3.5: what `slow_down` adds for good. */
const slowDown = 5_000
/** By this part of the interval a poll may come early: timers and networks vary, and each `slow_down` adds up. */
const tolerance = 0.1
const maxTries = 3
const sweepChunk = 1_000
const neededBy = 'The option deviceAuthorization'

/** Device authorization for sessions of gosesh (RFC 8628). */
export class DeviceAuthorization {
  readonly #app: FastifyInstance
  readonly #internals: Internals
  readonly #settings: DeviceSettings
  readonly #clock: Clock

  constructor(app: FastifyInstance, settings: DeviceSettings, clock: Clock) {
    this.#app = app
    this.#internals = app[internals]
    this.#settings = settings
    this.#clock = clock
  }

  /** A code for the device and one for its user. Rejects with `GOSESH_ERR_STORE_UNAVAILABLE`. */
  async start(client: string | null, place: string | null): Promise<StartedDevice> {
    const { expiresIn, interval } = this.#settings
    const metadata = {
      ...(client !== null && { [clientKey]: client }),
      ...(place !== null && { [placeKey]: place }),
    }
    for (let tries = 0; tries < maxTries; tries++) {
      const [deviceCode, userCode] = [createDeviceCode(), createUserCode()]
      const now = this.#clock.now()
      const code: DeviceCode = {
        id: deviceCodeId(deviceCode) as DeviceCode['id'],
        userCodeId: userCodeId(userCode),
        createdAt: new Date(now),
        expiresAt: new Date(now + expiresIn),
        interval,
        lastPolledAt: null,
        status: 'pending',
        userId: null,
        sessionId: null,
        metadata,
      }
      if (await this.#codes.createDeviceCode(code)) {
        return { deviceCode, userCode }
      }
    }
    const cause = new Error(`${maxTries} user codes were taken`)
    throw new GoseshError('GOSESH_ERR_STORE_UNAVAILABLE', { cause })
  }

  /** What waits for this user code, or `null`. */
  async find(userCode: string): Promise<DeviceCode | null> {
    const code = await this.#codes.findDeviceCode(userCodeId(userCode))
    return code !== null && code.status === 'pending' && !this.#isExpired(code) ? code : null
  }

  /** Resolves with false if somebody decided about the code before; without an approver it is denied. */
  async decide(userCode: string, approver: Session | null): Promise<boolean> {
    const decision = { userId: approver?.userId ?? null, sessionId: approver?.id ?? null }
    return await this.#codes.decideDeviceCode(userCodeId(userCode), decision)
  }

  /** A poll: a session once it is approved, else what the device is told. `client` is the one that it says it is now. */
  async redeem(
    deviceCode: string,
    client: string | undefined,
  ): Promise<{ session: Session; token: SessionToken } | DeviceError> {
    const id = deviceCodeId(deviceCode)
    if (id === null) return 'invalid_grant'
    const code = await this.#codes.getDeviceCode(id)
    if (code === null) return 'invalid_grant'
    if (client !== undefined && client !== code.metadata?.[clientKey]) return 'invalid_grant'
    if (this.#isExpired(code)) return 'expired_token'
    if (code.status === 'pending') return await this.#wait(code)
    // What ended the approver's session, such as a sign-out everywhere, was to end what came of it, too.
    const approver = code.sessionId === null ? null : await this.#app.gosesh.getSession(code.sessionId)
    return approver === null ? await this.#deny(code) : await this.#createSession(code, approver)
  }

  async #deny({ id }: DeviceCode): Promise<DeviceError> {
    return (await this.#consume(id)) ? 'access_denied' : 'invalid_grant'
  }

  /** The device's session carries on its approver's sign-in, so that approving never makes a sign-in last longer. */
  async #createSession(
    code: DeviceCode,
    { userId, createdAt, authenticatedAt }: Session,
  ): Promise<{ session: Session; token: SessionToken } | DeviceError> {
    const { [placeKey]: _place, ...kept } = { ...code.metadata }
    const metadata = { ...kept, [codeKey]: code.id }
    const used = new GoseshError('GOSESH_ERR_OAUTH_USER_CODE')
    try {
      return await this.#internals.createSession(
        userId,
        { createdAt, authenticatedAt, metadata },
        async () => {
          if (!(await this.#consume(code.id))) throw used
        },
      )
    } catch (error) {
      if (error === used) return 'invalid_grant'
      const reason = (error as GoseshError).code
      // Not used up: the user may sign out elsewhere while the device goes on asking.
      if (reason === 'GOSESH_ERR_TOO_MANY_SESSIONS') return await this.#wait(code)
      // The approver signed in longer ago than a device's session may last.
      if (reason === 'GOSESH_ERR_OPTION') return await this.#deny(code)
      throw error
    }
  }

  /** Resolves with true for the one call that uses up the code. */
  async #consume(id: DeviceCodeId): Promise<boolean> {
    return (await this.#codes.consumeDeviceCode(id)) !== null
  }

  /**
   * Takes back what this user allowed: the approval, or the session that came of it. Resolves with false if there is
   * neither, or the store lists no sessions.
   */
  async undo(id: string, userId: string): Promise<boolean> {
    const { store } = this.#app.gosesh
    const code = isDeviceCodeId(id) ? await this.#codes.getDeviceCode(id) : null
    if (code?.status === 'approved' && code.userId === userId) {
      if (await this.#consume(code.id)) return true
    }
    if (!hasCapability(store, 'listUserSessions')) return false
    const sessions = await this.#app.gosesh.listUserSessions(userId)
    const session = sessions.find(({ metadata }) => metadata?.[codeKey] === id)
    return session !== undefined && (await this.#app.gosesh.deleteSession(session.id, { userId }))
  }

  /** Deletes what has expired, in chunks. */
  async sweep(): Promise<void> {
    const before = new Date(this.#clock.now() - this.#settings.expiresIn)
    let deleted = sweepChunk
    while (deleted >= sweepChunk) {
      deleted = await this.#codes.deleteExpiredDeviceCodes(before, sweepChunk)
    }
  }

  async #wait({ id, interval, lastPolledAt }: DeviceCode): Promise<DeviceError> {
    const now = this.#clock.now()
    const tooSoon = lastPolledAt !== null && now < lastPolledAt.getTime() + interval * (1 - tolerance)
    const poll = { lastPolledAt: new Date(now), interval: tooSoon ? interval + slowDown : interval }
    const exists = await this.#codes.recordDevicePoll(id, poll)
    if (!exists) return 'invalid_grant'
    return tooSoon ? 'slow_down' : 'authorization_pending'
  }

  #isExpired({ expiresAt }: DeviceCode): boolean {
    return expiresAt.getTime() <= this.#clock.now()
  }

  get #codes(): DeviceCodeStore {
    return requireDeviceCodes(this.#internals.store, neededBy)
  }
}

/** Throws `GOSESH_ERR_STORE_CAPABILITY` if the store keeps no device codes. */
export function requireDeviceStore(app: FastifyInstance): void {
  requireDeviceCodes(app.gosesh.store, neededBy)
}
