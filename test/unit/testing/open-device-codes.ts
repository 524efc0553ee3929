import type {
  DeviceCode,
  DeviceCodeDecision,
  DeviceCodeId,
  DeviceCodeStore,
  DevicePoll,
  UserCodeId,
} from '../../../types/device-code.js'

/** Device codes that keep every rule, in parts that can be broken one at a time. */
export class OpenDeviceCodes implements DeviceCodeStore {
  readonly codes = new Map<DeviceCodeId, DeviceCode>()

  /** The code as it is kept. */
  keep(code: DeviceCode): DeviceCode {
    return structuredClone(code)
  }

  /** A kept code as it is handed out. */
  show(code: DeviceCode | undefined): DeviceCode | null {
    return code === undefined ? null : structuredClone(code)
  }

  ofUserCode(userCodeId: UserCodeId): DeviceCode | undefined {
    return [...this.codes.values()].find((code) => code.userCodeId === userCodeId)
  }

  change(id: DeviceCodeId, changes: Partial<DeviceCode>): boolean {
    const code = this.codes.get(id)
    if (code !== undefined) this.codes.set(id, { ...code, ...changes })
    return code !== undefined
  }

  isTaken(code: DeviceCode): boolean {
    return this.codes.has(code.id) || this.ofUserCode(code.userCodeId) !== undefined
  }

  isExpired(code: DeviceCode, before: Date): boolean {
    return code.expiresAt < before
  }

  async createDeviceCode(code: DeviceCode): Promise<boolean> {
    if (this.isTaken(code)) return false
    this.codes.set(code.id, this.keep(code))
    return true
  }

  async getDeviceCode(id: DeviceCodeId): Promise<DeviceCode | null> {
    return this.show(this.codes.get(id))
  }

  async findDeviceCode(userCodeId: UserCodeId): Promise<DeviceCode | null> {
    return this.show(this.ofUserCode(userCodeId))
  }

  async recordDevicePoll(id: DeviceCodeId, { interval, lastPolledAt }: DevicePoll): Promise<boolean> {
    const code = this.codes.get(id)
    if (code === undefined) return false
    const latest = Math.max(code.lastPolledAt?.getTime() ?? 0, lastPolledAt.getTime())
    return this.change(id, { lastPolledAt: new Date(latest), interval: Math.max(code.interval, interval) })
  }

  async decideDeviceCode(userCodeId: UserCodeId, decision: DeviceCodeDecision): Promise<boolean> {
    const code = this.ofUserCode(userCodeId)
    if (code?.status !== 'pending') return false
    return this.change(code.id, {
      status: decision.userId === null ? 'denied' : 'approved',
      ...decision,
    })
  }

  async consumeDeviceCode(id: DeviceCodeId): Promise<DeviceCode | null> {
    const code = this.codes.get(id)
    this.codes.delete(id)
    return this.show(code)
  }

  async deleteExpiredDeviceCodes(before: Date, limit: number): Promise<number> {
    const expired = [...this.codes.values()].filter((code) => this.isExpired(code, before)).slice(0, limit)
    for (const { id } of expired) this.codes.delete(id)
    return expired.length
  }
}
