import type {
  DeviceCode,
  DeviceCodeDecision,
  DeviceCodeId,
  DeviceCodeStore,
  DevicePoll,
  UserCodeId,
} from '../../../types/device-code.js'
import type { SessionId, SessionMetadata } from '../../../types/session.js'
import { GoseshError } from '../../core/errors.js'

/** A code as it is kept: times as numbers, so that nothing handed out can change it. */
interface StoredCode {
  readonly id: DeviceCodeId
  readonly userCodeId: UserCodeId
  readonly createdAt: number
  readonly expiresAt: number
  readonly metadata: SessionMetadata | null
  interval: number
  lastPolledAt: number | null
  status: DeviceCode['status']
  userId: string | null
  sessionId: SessionId | null
}

function toStored(code: DeviceCode): StoredCode {
  return {
    id: code.id,
    userCodeId: code.userCodeId,
    createdAt: code.createdAt.getTime(),
    expiresAt: code.expiresAt.getTime(),
    metadata: code.metadata === null ? null : Object.freeze({ ...code.metadata }),
    interval: code.interval,
    lastPolledAt: code.lastPolledAt?.getTime() ?? null,
    status: code.status,
    userId: code.userId,
    sessionId: code.sessionId,
  }
}

function toDeviceCode(stored: StoredCode | undefined): DeviceCode | null {
  if (stored === undefined) return null
  return {
    ...stored,
    createdAt: new Date(stored.createdAt),
    expiresAt: new Date(stored.expiresAt),
    lastPolledAt: stored.lastPolledAt === null ? null : new Date(stored.lastPolledAt),
  }
}

/** Devices that wait for their users, in this process's memory. */
export class MemoryDeviceCodes implements DeviceCodeStore {
  readonly #max: number
  readonly #byId = new Map<DeviceCodeId, StoredCode>()
  readonly #byUserCode = new Map<UserCodeId, StoredCode>()

  constructor(max: number) {
    this.#max = max
  }

  /** Rejects with `GOSESH_ERR_STORE_FULL` if there are as many as there may be, once the expired ones have made room. */
  async createDeviceCode(code: DeviceCode): Promise<boolean> {
    if (this.#byId.size >= this.#max) this.#makeRoom(code.createdAt.getTime())
    if (this.#byId.has(code.id) || this.#byUserCode.has(code.userCodeId)) return false
    if (this.#byId.size >= this.#max) {
      throw new GoseshError('GOSESH_ERR_STORE_FULL', {
        message: 'The session store holds as many device codes as it may',
      })
    }
    const stored = toStored(code)
    this.#byId.set(stored.id, stored)
    this.#byUserCode.set(stored.userCodeId, stored)
    return true
  }

  async getDeviceCode(id: DeviceCodeId): Promise<DeviceCode | null> {
    return toDeviceCode(this.#byId.get(id))
  }

  async findDeviceCode(userCodeId: UserCodeId): Promise<DeviceCode | null> {
    return toDeviceCode(this.#byUserCode.get(userCodeId))
  }

  async recordDevicePoll(id: DeviceCodeId, { interval, lastPolledAt }: DevicePoll): Promise<boolean> {
    const stored = this.#byId.get(id)
    if (stored === undefined) return false
    const at = lastPolledAt.getTime()
    stored.lastPolledAt = Math.max(stored.lastPolledAt ?? at, at)
    stored.interval = Math.max(stored.interval, interval)
    return true
  }

  async decideDeviceCode(
    userCodeId: UserCodeId,
    { userId, sessionId }: DeviceCodeDecision,
  ): Promise<boolean> {
    const stored = this.#byUserCode.get(userCodeId)
    if (stored?.status !== 'pending') return false
    stored.status = userId === null ? 'denied' : 'approved'
    stored.userId = userId
    stored.sessionId = sessionId
    return true
  }

  async consumeDeviceCode(id: DeviceCodeId): Promise<DeviceCode | null> {
    const stored = this.#byId.get(id)
    if (stored !== undefined) this.#delete(stored)
    return toDeviceCode(stored)
  }

  async deleteExpiredDeviceCodes(before: Date, limit: number): Promise<number> {
    let deleted = 0
    for (const stored of this.#byId.values()) {
      if (deleted === limit) break
      if (stored.expiresAt >= before.getTime()) continue
      this.#delete(stored)
      deleted++
    }
    return deleted
  }

  /** Deletes the codes that this user approved. Returns true if there were any. */
  deleteOfUser(userId: string): boolean {
    let deleted = false
    for (const stored of this.#byId.values()) {
      if (stored.userId !== userId) continue
      this.#delete(stored)
      deleted = true
    }
    return deleted
  }

  /** Codes expire in the order in which they came, so nothing past the first live one has to be looked at. */
  #makeRoom(now: number): void {
    for (const stored of this.#byId.values()) {
      if (stored.expiresAt > now) break
      this.#delete(stored)
    }
  }

  #delete({ id, userCodeId }: StoredCode): void {
    this.#byId.delete(id)
    this.#byUserCode.delete(userCodeId)
  }
}
