import type {
  DeviceCode,
  DeviceCodeDecision,
  DeviceCodeId,
  DeviceCodeStore,
  DevicePoll,
  UserCodeId,
} from '../../../types/device-code.js'
import type { SelfExpiring } from '../../../types/store.js'
import type { RedisConnection } from './connection.js'
import {
  consumeDeviceCode,
  decideDeviceCode,
  insertDeviceCode,
  readDeviceCode,
  recordDevicePoll,
  releaseUserCode,
} from './device-code-scripts.js'
import { decodeDeviceCode, encodeDeviceCode } from './device-code-value.js'
import { insertValue, type Script } from './scripts.js'

/** Makes a failed clean-up harmless: what it would have removed leads nowhere and expires by itself. */
function ignore(): void {}

/**
 * Devices that wait for their users: a hash under the id of the code, and under that of the user code a string with
 * the id. In a cluster the two live on different servers, so no script can change both at once. The user code is
 * claimed first, which keeps it unique; every change after that is one script on the hash, which keeps it atomic. A
 * user code whose hash is absent, or is that of another user code, leads nowhere.
 */
export class RedisDeviceCodes implements DeviceCodeStore, SelfExpiring {
  readonly #connection: RedisConnection
  readonly #prefix: string
  /** Milliseconds for which a code is kept past its end. */
  readonly expiryGrace: number

  constructor(connection: RedisConnection, prefix: string, expiryGrace: number) {
    this.#connection = connection
    this.#prefix = prefix
    this.expiryGrace = expiryGrace
  }

  async createDeviceCode(code: DeviceCode): Promise<boolean> {
    const { id, userCodeId } = code
    const expiry = String(code.expiresAt.getTime() + this.expiryGrace)
    const fields = encodeDeviceCode(code)
    const userCode = this.#userCodeKey(userCodeId)
    if (!(await this.#succeeds(insertValue, userCode, [id, expiry]))) return false
    if (await this.#succeeds(insertDeviceCode, this.#codeKey(id), [expiry, ...fields])) return true
    await this.#release(userCodeId, id)
    return false
  }

  async getDeviceCode(id: DeviceCodeId): Promise<DeviceCode | null> {
    return decodeDeviceCode(id, await this.#connection.run(readDeviceCode, [this.#codeKey(id)]))
  }

  async findDeviceCode(userCodeId: UserCodeId): Promise<DeviceCode | null> {
    const id = await this.#idOf(userCodeId)
    const code = id === null ? null : await this.getDeviceCode(id)
    return code?.userCodeId === userCodeId ? code : null
  }

  async recordDevicePoll(id: DeviceCodeId, { interval, lastPolledAt }: DevicePoll): Promise<boolean> {
    const args = [lastPolledAt.getTime(), interval].map(String)
    return await this.#succeeds(recordDevicePoll, this.#codeKey(id), args)
  }

  async decideDeviceCode(
    userCodeId: UserCodeId,
    { userId, sessionId }: DeviceCodeDecision,
  ): Promise<boolean> {
    const id = await this.#idOf(userCodeId)
    if (id === null) return false
    const decision = userId === null ? ['denied'] : ['approved', userId, String(sessionId)]
    return await this.#succeeds(decideDeviceCode, this.#codeKey(id), [userCodeId, ...decision])
  }

  async consumeDeviceCode(id: DeviceCodeId): Promise<DeviceCode | null> {
    const code = decodeDeviceCode(id, await this.#connection.run(consumeDeviceCode, [this.#codeKey(id)]))
    if (code !== null) await this.#release(code.userCodeId, id).catch(ignore)
    return code
  }

  /** 0, and no call: codes expire by themselves. */
  async deleteExpiredDeviceCodes(): Promise<number> {
    return 0
  }

  /** Lets the user code go, unless it leads to another code by now. */
  async #release(userCodeId: UserCodeId, id: DeviceCodeId): Promise<void> {
    await this.#connection.run(releaseUserCode, [this.#userCodeKey(userCodeId)], [id])
  }

  async #idOf(userCodeId: UserCodeId): Promise<DeviceCodeId | null> {
    return await this.#connection.get(this.#userCodeKey(userCodeId), (id) => id as DeviceCodeId | null)
  }

  async #succeeds(script: Script, key: string, args: string[]): Promise<boolean> {
    return Number(await this.#connection.run(script, [key], args)) === 1
  }

  #codeKey(id: DeviceCodeId): string {
    return `${this.#prefix}device-code:${id}`
  }

  #userCodeKey(userCodeId: UserCodeId): string {
    return `${this.#prefix}user-code:${userCodeId}`
  }
}
