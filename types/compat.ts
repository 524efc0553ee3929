import type { SessionData, SessionDataKey, SessionDataValue } from './data.js'

type Done = (error?: unknown) => void

/** The calls of `request.session` with `gosesh/compat`. */
export interface CompatSessionCalls {
  /** The id of the session, or of the visitor. It is no secret. */
  readonly sessionId: string
  get<K extends SessionDataKey>(key: K): SessionDataValue<K> | undefined
  /** Sets a key; `undefined` deletes it. Written when the reply is sent. */
  set<K extends SessionDataKey>(key: K, value: SessionDataValue<K> | undefined): void
  /** A copy of the data. */
  data(): Partial<SessionData>
  /** True if there is something to save. */
  isModified(): boolean
  /** Lets a visitor live on; a request of somebody who is signed in does so by itself. */
  touch(): void
  /** Takes effect when the reply is sent: a new cookie, without any other data than that of these keys. No re-authentication. */
  regenerate(keys?: readonly string[]): Promise<void>
  regenerate(done: Done): void
  regenerate(keys: readonly string[], done: Done): void
  /** Signs out, or ends the visitor; rejects as `reply.signOut` does. */
  destroy(): Promise<void>
  destroy(done: Done): void
  /** The same when the reply is sent. */
  delete(): void
  /** Reads the data anew; what was not saved is gone. */
  reload(): Promise<void>
  reload(done: Done): void
  /**
   * Saves at once what would be saved when the reply is sent: for a hijacked reply or a WebSocket, and before something else reads
   * it. Rejects as `request.sessionData` does.
   */
  save(): Promise<void>
  save(done: Done): void
  /** Changes nothing: lifetimes and attributes of the cookies are options of gosesh. */
  options(options: object): void
}

/** `request.session` with `gosesh/compat`: the calls, and the data as properties. */
export type CompatSession = CompatSessionCalls & Partial<SessionData>
