import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type { SessionId, SessionMetadata } from '../../types/session.js'
import type { SessionRecord, SessionStore } from '../../types/store.js'

/** The cases of one group by their names. Each gets a store of its own, without sessions. */
export type ContractCases<Capability = unknown> = Readonly<
  Record<string, (store: SessionStore & Capability) => Promise<void>>
>

export const minute = 60_000
export const hour = 60 * minute
/** The longest lifetime that the manager lets through. */
export const century = 100 * 365 * 24 * hour

interface SessionSeed {
  readonly id?: SessionId
  readonly userId?: string
  /** Milliseconds since the last activity; more than a timeout makes the session an expired one. */
  readonly age?: number
  readonly idleTimeout?: number | null
  readonly absoluteTimeout?: number
  readonly metadata?: SessionMetadata | null
  readonly details?: string | null
  readonly persistent?: boolean
  readonly deviceBound?: boolean
}

/** The session of a user, and no visitor's. */
export type SignedIn = SessionRecord & { readonly userId: string }

export function newSessionId(): SessionId {
  return randomBytes(16).toString('base64url') as SessionId
}

export function newSecretHash(): string {
  return randomBytes(32).toString('base64url')
}

/**
 * A session near the real time, because a store may forget by the clock of its server. No two of its times share
 * their milliseconds, and none falls on a whole second.
 */
export function newSession(seed: SessionSeed = {}): SignedIn {
  const { idleTimeout = 30 * minute, absoluteTimeout = 24 * hour + 222 } = seed
  const lastActivityAt = Math.floor(Date.now() / 1_000) * 1_000 - (seed.age ?? minute) + 457
  const createdAt = lastActivityAt - 20_334
  const absoluteDeadline = createdAt + absoluteTimeout
  return {
    id: seed.id ?? newSessionId(),
    secretHash: newSecretHash(),
    version: 1,
    userId: seed.userId ?? 'user',
    createdAt: new Date(createdAt),
    lastActivityAt: new Date(lastActivityAt),
    authenticatedAt: new Date(createdAt + 7_111),
    idleTimeout,
    idleDeadline:
      idleTimeout === null ? null : new Date(Math.min(absoluteDeadline, lastActivityAt + idleTimeout)),
    absoluteTimeout,
    absoluteDeadline: new Date(absoluteDeadline),
    persistent: seed.persistent ?? true,
    deviceBound: seed.deviceBound ?? false,
    metadata: seed.metadata ?? null,
    details: seed.details ?? null,
  }
}

export function newSessions(count: number, seed: SessionSeed = {}): SignedIn[] {
  return Array.from({ length: count }, () => newSession(seed))
}

/** Resolves as `Promise.all` does, but not before every call has ended: a failed case leaves nothing running. */
export async function settle<T>(calls: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(calls)
  return Promise.all(calls)
}

export async function createAll(store: SessionStore, sessions: readonly SessionRecord[]): Promise<void> {
  await settle(sessions.map((session) => store.createSession(session)))
}

/** A copy that shares nothing with the session. */
export function copyOf(session: SessionRecord): SessionRecord {
  return structuredClone(session)
}

export function later(date: Date, ms: number): Date {
  return new Date(date.getTime() + ms)
}

/** The idle deadline, if the session is known to have one. */
export function idleDeadlineOf(session: SessionRecord): Date {
  assert.ok(session.idleDeadline !== null)
  return session.idleDeadline
}

/** The session after activity at `at`. */
export function activeAt<T extends SessionRecord>(session: T, at: Date): T {
  if (session.idleTimeout === null) return { ...session, lastActivityAt: at }
  const idleDeadline = Math.min(session.absoluteDeadline.getTime(), at.getTime() + session.idleTimeout)
  return { ...session, lastActivityAt: at, idleDeadline: new Date(idleDeadline) }
}

/** The fields of a session; a store may make its objects as it likes. */
function fieldsOf(session: SessionRecord): object {
  const { id, secretHash, version, userId, createdAt, lastActivityAt, authenticatedAt, idleTimeout } = session
  const { idleDeadline, absoluteTimeout, absoluteDeadline, persistent, deviceBound, details } = session
  return {
    ...{ id, secretHash, version, userId, createdAt, lastActivityAt, authenticatedAt, idleTimeout },
    ...{ idleDeadline, absoluteTimeout, absoluteDeadline, persistent, deviceBound, details },
    metadata: session.metadata && { ...session.metadata },
  }
}

export function assertSession(actual: SessionRecord | null, expected: SessionRecord): void {
  assert.ok(actual !== null, `session ${expected.id} is absent`)
  assert.deepEqual(fieldsOf(actual), fieldsOf(expected))
}

/** In any order. */
export function assertSessions(actual: readonly SessionRecord[], expected: readonly SessionRecord[]): void {
  const byId = (sessions: readonly SessionRecord[]): object[] =>
    sessions.toSorted((a, b) => (a.id < b.id ? -1 : 1)).map(fieldsOf)
  assert.deepEqual(byId(actual), byId(expected))
}

export async function assertStored(store: SessionStore, expected: readonly SessionRecord[]): Promise<void> {
  await Promise.all(
    expected.map(async (session) => assertSession(await store.getSession(session.id), session)),
  )
}

export async function assertAbsent(store: SessionStore, sessions: readonly SessionRecord[]): Promise<void> {
  for (const { id } of await present(store, sessions)) assert.fail(`session ${id} is there`)
}

/** Those of the sessions that the store has. */
export async function present(
  store: SessionStore,
  sessions: readonly SessionRecord[],
): Promise<SessionRecord[]> {
  const found = await Promise.all(sessions.map(({ id }) => store.getSession(id)))
  return found.filter((session) => session !== null)
}

/** Changes, as far as it can be changed, all that a caller could change in a session with metadata. */
export function tamperWith(session: SessionRecord): void {
  for (const value of Object.values(session)) if (value instanceof Date) value.setTime(1)
  assert.ok(session.metadata !== null)
  for (const key of Object.keys(session.metadata)) Reflect.set(session.metadata, key, 'changed')
  Reflect.set(session.metadata, 'added', 'later')
}
