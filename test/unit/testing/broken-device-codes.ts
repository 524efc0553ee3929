import { setImmediate as nextTurn } from 'node:timers/promises'
import type {
  DeviceCode,
  DeviceCodeDecision,
  DeviceCodeId,
  DeviceCodeStore,
  DevicePoll,
  UserCodeId,
} from '../../../types/device-code.js'
import type { SessionId } from '../../../types/session.js'
import { OpenDeviceCodes } from './open-device-codes.js'

/** Reads a code, and a turn later writes it back as it then was, with what changes. */
class LostUpdates extends OpenDeviceCodes {
  override change(id: DeviceCodeId, changes: Partial<DeviceCode>): boolean {
    const code = this.codes.get(id)
    if (code === undefined) return false
    void nextTurn().then(() => this.codes.set(id, { ...code, ...changes }))
    return true
  }

  override async recordDevicePoll(id: DeviceCodeId, poll: DevicePoll): Promise<boolean> {
    const recorded = await super.recordDevicePoll(id, poll)
    await nextTurn()
    await nextTurn()
    return recorded
  }
}

/** Makes what it is told of where it is absent. */
class Creating extends OpenDeviceCodes {
  make(ids: Partial<DeviceCode>): void {
    const at = new Date()
    const code = { createdAt: at, expiresAt: at, interval: 1, lastPolledAt: at, userId: null, metadata: null }
    const all = { ...code, status: 'pending', id: 'id', userCodeId: 'user code', ...ids } as DeviceCode
    this.codes.set(all.id, all)
  }
}

/** Device codes that break one rule each, by the name of the case that must find it. */
export const brokenDeviceCodes: Readonly<Record<string, new () => DeviceCodeStore>> = {
  'createDeviceCode: keeps every field, and times to the millisecond': class extends OpenDeviceCodes {
    override keep(code: DeviceCode): DeviceCode {
      const seconds = Math.floor(code.expiresAt.getTime() / 1_000)
      return { ...super.keep(code), expiresAt: new Date(seconds * 1_000) }
    }
  },

  'createDeviceCode: false if the id is taken, and changes nothing': class extends OpenDeviceCodes {
    override isTaken(code: DeviceCode): boolean {
      return this.ofUserCode(code.userCodeId) !== undefined
    }
  },

  'createDeviceCode: false if the user code is taken, and changes nothing': class extends OpenDeviceCodes {
    override isTaken(code: DeviceCode): boolean {
      return this.codes.has(code.id)
    }
  },

  'createDeviceCode: of many at once with the same id exactly one wins': class extends OpenDeviceCodes {
    override async createDeviceCode(code: DeviceCode): Promise<boolean> {
      if (this.isTaken(code)) return false
      await nextTurn()
      if (this.ofUserCode(code.userCodeId) !== undefined) return false
      this.codes.set(code.id, this.keep(code))
      return true
    }
  },

  'createDeviceCode: of many at once with the same user code exactly one wins': class extends OpenDeviceCodes {
    override async createDeviceCode(code: DeviceCode): Promise<boolean> {
      if (this.isTaken(code)) return false
      await nextTurn()
      this.codes.set(code.id, this.keep(code))
      return true
    }
  },

  'createDeviceCode: a change to what it was given, or hands out, changes nothing that is kept': class extends OpenDeviceCodes {
    override show(code: DeviceCode | undefined): DeviceCode | null {
      return code ?? null
    }
  },

  'getDeviceCode: null for an id that is absent': class extends OpenDeviceCodes {
    override async getDeviceCode(id: DeviceCodeId): Promise<DeviceCode | null> {
      return (await super.getDeviceCode(id)) ?? (undefined as unknown as null)
    }
  },

  'findDeviceCode: the one code of a user code, or null': class extends OpenDeviceCodes {
    override ofUserCode(): DeviceCode | undefined {
      return [...this.codes.values()][0]
    }
    override isTaken(code: DeviceCode): boolean {
      return this.codes.has(code.id)
    }
  },

  'recordDevicePoll: keeps the time and the interval, and changes nothing else': class extends OpenDeviceCodes {
    override async recordDevicePoll(id: DeviceCodeId, { lastPolledAt }: DevicePoll): Promise<boolean> {
      return this.change(id, { lastPolledAt })
    }
  },

  'recordDevicePoll: the later time and the longer interval stand, whatever the order': class extends OpenDeviceCodes {
    override async recordDevicePoll(id: DeviceCodeId, poll: DevicePoll): Promise<boolean> {
      return this.change(id, poll)
    }
  },

  'recordDevicePoll: false for a code that is absent, and creates nothing': class extends Creating {
    override async recordDevicePoll(id: DeviceCodeId, poll: DevicePoll): Promise<boolean> {
      if (!this.codes.has(id)) this.make({ id })
      return (await super.recordDevicePoll(id, poll)) && this.codes.get(id)?.userCodeId !== 'user code'
    }
  },

  'recordDevicePoll: at once with a decision, both are kept': LostUpdates,

  'decideDeviceCode: approves for the user, and changes nothing else': class extends OpenDeviceCodes {
    override async decideDeviceCode(userCodeId: UserCodeId, decision: DeviceCodeDecision): Promise<boolean> {
      for (const { id } of this.codes.values()) this.change(id, { userId: decision.userId })
      return super.decideDeviceCode(userCodeId, decision)
    }
  },

  'decideDeviceCode: null denies': class extends OpenDeviceCodes {
    override async decideDeviceCode(
      userCodeId: UserCodeId,
      { userId, sessionId }: DeviceCodeDecision,
    ): Promise<boolean> {
      const code = this.ofUserCode(userCodeId)
      return code !== undefined && this.change(code.id, { status: 'approved', userId, sessionId })
    }
  },

  'decideDeviceCode: keeps the user id exactly': class extends OpenDeviceCodes {
    override async decideDeviceCode(
      userCodeId: UserCodeId,
      { userId, sessionId }: DeviceCodeDecision,
    ): Promise<boolean> {
      return super.decideDeviceCode(userCodeId, { userId: userId?.trim() ?? null, sessionId })
    }
  },

  'decideDeviceCode: keeps the session that approved': class extends OpenDeviceCodes {
    override async decideDeviceCode(
      userCodeId: UserCodeId,
      { userId }: DeviceCodeDecision,
    ): Promise<boolean> {
      return super.decideDeviceCode(userCodeId, { userId, sessionId: userId as SessionId | null })
    }
  },

  'decideDeviceCode: false if it is decided, and the first decision stands': class extends OpenDeviceCodes {
    override async decideDeviceCode(
      userCodeId: UserCodeId,
      { userId, sessionId }: DeviceCodeDecision,
    ): Promise<boolean> {
      const code = this.ofUserCode(userCodeId)
      if (code === undefined) return false
      return this.change(code.id, { status: userId === null ? 'denied' : 'approved', userId, sessionId })
    }
  },

  'decideDeviceCode: false for a code that is absent, and creates nothing': class extends Creating {
    override async decideDeviceCode(userCodeId: UserCodeId, decision: DeviceCodeDecision): Promise<boolean> {
      if (this.ofUserCode(userCodeId) !== undefined) return super.decideDeviceCode(userCodeId, decision)
      this.make({ userCodeId })
      return false
    }
  },

  'decideDeviceCode: of many at once exactly one wins': class extends OpenDeviceCodes {
    override async decideDeviceCode(
      userCodeId: UserCodeId,
      { userId, sessionId }: DeviceCodeDecision,
    ): Promise<boolean> {
      const code = this.ofUserCode(userCodeId)
      if (code?.status !== 'pending') return false
      await nextTurn()
      return this.change(code.id, { status: userId === null ? 'denied' : 'approved', userId, sessionId })
    }
  },

  'consumeDeviceCode: resolves the code as it stood, and deletes it': class extends OpenDeviceCodes {
    override async consumeDeviceCode(id: DeviceCodeId): Promise<DeviceCode | null> {
      return this.getDeviceCode(id)
    }
  },

  'consumeDeviceCode: null for a code that is absent, also the second time': class extends OpenDeviceCodes {
    readonly #consumed = new Map<DeviceCodeId, DeviceCode>()

    override async consumeDeviceCode(id: DeviceCodeId): Promise<DeviceCode | null> {
      const code = (await super.consumeDeviceCode(id)) ?? this.#consumed.get(id)
      if (code !== undefined) this.#consumed.set(id, code)
      return code ?? null
    }
  },

  'consumeDeviceCode: frees both ids': class extends OpenDeviceCodes {
    readonly #used = new Set<UserCodeId>()

    override async createDeviceCode(code: DeviceCode): Promise<boolean> {
      if (this.#used.has(code.userCodeId)) return false
      this.#used.add(code.userCodeId)
      return super.createDeviceCode(code)
    }
  },

  'consumeDeviceCode: of many at once exactly one gets it': class extends OpenDeviceCodes {
    override async consumeDeviceCode(id: DeviceCodeId): Promise<DeviceCode | null> {
      const code = await this.getDeviceCode(id)
      await super.consumeDeviceCode(id)
      return code
    }
  },

  'consumeDeviceCode: at once with a decision, resolves it decided, or there is nothing to decide': class extends OpenDeviceCodes {
    override async consumeDeviceCode(id: DeviceCodeId): Promise<DeviceCode | null> {
      const code = await this.getDeviceCode(id)
      await nextTurn()
      return this.codes.delete(id) ? code : null
    }
  },

  'consumeDeviceCode: at once with polls and decisions, nothing comes back': LostUpdates,

  'deleteExpiredDeviceCodes: deletes what is past its end, and nothing else': class extends OpenDeviceCodes {
    override isExpired(code: DeviceCode, before: Date): boolean {
      return code.createdAt < before
    }
  },

  'deleteExpiredDeviceCodes: spares a code whose end is exactly the given time': class extends OpenDeviceCodes {
    override isExpired(code: DeviceCode, before: Date): boolean {
      return code.expiresAt <= before
    }
  },

  'deleteExpiredDeviceCodes: deletes up to the limit; fewer means that it is done': class extends OpenDeviceCodes {
    override async deleteExpiredDeviceCodes(before: Date): Promise<number> {
      return super.deleteExpiredDeviceCodes(before, Number.POSITIVE_INFINITY)
    }
  },

  'deleteExpiredDeviceCodes: 0 if nothing has expired': class extends OpenDeviceCodes {
    override async deleteExpiredDeviceCodes(before: Date, limit: number): Promise<number> {
      return (await super.deleteExpiredDeviceCodes(before, limit)) || 1
    }
  },
}
