import type { FastifyReply, FastifyRequest } from 'fastify'
import type { SessionId } from '../../types/session.js'
import type { HeldData, WholeData } from '../core/internals.js'
import { createSessionId } from '../core/token.js'
import { DataSession, setValue } from './session.js'

/** Where a request keeps what is held for it. */
export const heldSession = Symbol('gosesh.heldSession')

declare module 'fastify' {
  interface FastifyRequest {
    [heldSession]: HeldSession | null
  }
}

/** The data of a request: loaded once, and saved by what differs from what was loaded. */
export class HeldSession implements HeldData {
  readonly session: DataSession = new DataSession(this)
  readonly #data: WholeData
  readonly #request: FastifyRequest
  #reply: FastifyReply | null = null
  #id: SessionId | null = null
  /** Of the visitor that a write makes. */
  #newId: SessionId | null = null
  /** What the store has, as JSON; `null`: it was not loaded, and nothing is saved. */
  #stored: Map<string, string> | null = null
  /** What saving does: write changes, keep this data alone under a new secret, or end it all. */
  #next: 'write' | 'renew' | 'end' = 'write'
  #touched = false
  #sent = false
  #saving: Promise<void> | null = null

  constructor(data: WholeData, request: FastifyRequest) {
    this.#data = data
    this.#request = request
  }

  /** Of the session or the visitor; without either, of the visitor that the first write will make. */
  get id(): SessionId {
    return this.#id ?? this.#nextId
  }

  get #nextId(): SessionId {
    this.#newId ??= createSessionId()
    return this.#newId
  }

  /** Loads the data; `undefined`: the request carries nothing to find any by. It is saved with this reply. */
  attach(reply: FastifyReply): Promise<void> | undefined {
    this.#reply = reply
    this.#data.hold(this.#request, this)
    if (this.#data.isPresented(this.#request)) return this.load()
    this.begin(null, new Map())
    return undefined
  }

  async load(): Promise<void> {
    if (this.#reply === null) return
    const { id, data } = await this.#data.load(this.#request)
    this.begin(id, data)
  }

  begin(id: SessionId | null, data: ReadonlyMap<string, string>): void {
    const values = Array.from(data, ([key, json]) => [key, this.#data.decode(json)] as const)
    this.#keep([])
    for (const [key, value] of values) setValue(this.session, key, value)
    this.#stored = new Map(data)
    this.#id = id
    this.#newId = null
    this.#next = 'write'
    this.#touched = false
  }

  touch(): void {
    this.#touched = true
  }

  regenerate(keys: readonly string[]): void {
    this.#keep(keys)
    this.#id = this.#data.sessionIdOf(this.#request)
    this.#newId = null
    this.#next = 'renew'
  }

  end(): void {
    this.#keep([])
    this.#next = 'end'
  }

  isModified(): boolean {
    return this.#next !== 'write' || this.#changes(this.#current()).size > 0
  }

  /** For `onSend`, which runs again for the answer to what went wrong in it. */
  saveOnce(): Promise<void> | undefined {
    if (this.#sent) return undefined
    this.#sent = true
    return this.save()
  }

  save(): Promise<void> | undefined {
    if (this.#stored === null) {
      if (this.isModified()) this.#request.log.warn('request.session was not loaded, so it is not saved')
      return undefined
    }
    if (this.#saving === null && !this.#touched && !this.isModified()) return undefined
    const saving = this.#saveAfter(this.#saving)
    const settled = (): void => {
      if (this.#saving === saving) this.#saving = null
    }
    this.#saving = saving
    saving.then(settled, settled)
    return saving
  }

  async #saveAfter(before: Promise<void> | null): Promise<void> {
    await before?.catch(() => {})
    const next = this.#next
    try {
      await this.#saveNow(next)
    } catch (error) {
      this.#next = next
      // The visitor may have been made all the same, or be made yet.
      this.#newId = null
      throw error
    }
  }

  async #saveNow(next: 'write' | 'renew' | 'end'): Promise<void> {
    const reply = this.#reply as FastifyReply
    const stored = this.#stored
    const current = this.#current()
    const changes = this.#changes(current)
    this.#next = 'write'
    this.#touched = false
    if (next === 'end') {
      await this.#data.end(reply)
      this.begin(null, new Map())
    } else if (next === 'renew') await this.#data.renew(reply, current, this.#nextId)
    else await this.#data.write(this.#request, changes, this.#nextId)
    if (this.#stored === stored) this.#stored = current
  }

  /** The data as JSON. Throws for what cannot be stored. */
  #current(): Map<string, string> {
    const current = new Map<string, string>()
    for (const [key, value] of Object.entries(this.session)) {
      const json = this.#stored?.get(key)
      if (json !== undefined && isSame(value, json)) current.set(key, json)
      else if (value !== undefined) current.set(key, this.#data.encode(this.#request, key, value))
    }
    return current
  }

  #changes(current: ReadonlyMap<string, string>): Map<string, string | null> {
    const stored = this.#stored ?? new Map<string, string>()
    const changes = new Map<string, string | null>()
    for (const key of stored.keys()) if (!current.has(key)) changes.set(key, null)
    for (const [key, json] of current) if (stored.get(key) !== json) changes.set(key, json)
    return changes
  }

  #keep(keys: readonly string[]): void {
    for (const key of Object.keys(this.session))
      if (!keys.includes(key)) setValue(this.session, key, undefined)
  }
}

/** True if nothing has changed in the value, however deep. */
function isSame(value: unknown, json: string): boolean {
  try {
    return JSON.stringify(value) === json
  } catch {
    return false
  }
}
