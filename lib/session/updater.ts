import type { MetadataPatch, ReauthenticateOptions } from '../../types/options.js'
import type { Session, SessionId, SessionToken } from '../../types/session.js'
import type { SessionChanges, SessionRecord, SessionUpdater as UpdatingStore } from '../../types/store.js'
import { requireCapability } from '../core/capabilities.js'
import { type DeviceKey, encodeDetails, isSameKey, parseDetails } from '../core/details.js'
import { GoseshError } from '../core/errors.js'
import { mergeFactors, parseFactors } from '../core/factors.js'
import { within } from '../core/timing.js'
import { createSecret, hashSecret, secretHashOf, tokenOf } from '../core/token.js'
import { storeError } from './bounded-store.js'
import type { Context, ContextSource } from './context.js'
import type { SessionEvents } from './events.js'
import { parseMetadataPatch, parsePastTime, patchMetadata } from './input.js'
import { idleDeadlineAt, liveSession } from './lifetime.js'
import { RetriedCalls } from './retried-calls.js'

/** How often a change is made anew because another one came first. */
const maxTries = 5

const messages = {
  failed: 'a re-authentication that failed could not be undone, tried again until it is',
  givenUp: 'too many re-authentications wait to be undone, one given up',
  left: 're-authentications left that should have been undone: their users have to sign in again',
}

/** What a re-authentication made of a session. */
export interface Reauthenticated {
  readonly session: Session
  readonly token: SessionToken
  readonly persistent: boolean
  /** Milliseconds from now to the absolute deadline. */
  readonly lifetime: number
  /** Gives the session its old secret and sign-in time back, because the client never got the new token. Never rejects. */
  revert(): Promise<void>
}

/** Changes sessions: each time one read and one conditional write, again if another change came between them. */
export class SessionUpdater {
  readonly #source: ContextSource
  readonly #retried: RetriedCalls
  /** The last change of each session that is under way: the changes of one process never meet in conflict. */
  readonly #running = new Map<SessionId, Promise<unknown>>()
  readonly #reverting = new Set<Promise<unknown>>()

  constructor(source: ContextSource, events: SessionEvents) {
    this.#source = source
    this.#retried = new RetriedCalls(events, messages)
  }

  /**
   * Resolves with the session as it is then, or with `null` if there is none, or its secret is not that of `token`: a
   * re-authentication came first. Without a token the application itself asks.
   */
  async reauthenticate(
    id: SessionId,
    token: SessionToken | null,
    { factors, metadata, authenticatedAt }: ReauthenticateOptions,
    neededBy: string,
  ): Promise<Reauthenticated | null> {
    const { context } = this.#source
    const methods = parseFactors('factors', factors ?? [])
    const patch = parseMetadataPatch(metadata ?? {})
    const prove = (old: SessionRecord, now: number): SessionChanges => {
      const { absoluteTimeout, idleTimeout } = old
      const details = parseDetails(old.details)
      const proved =
        authenticatedAt === undefined
          ? now
          : parsePastTime('authenticatedAt', authenticatedAt, now - context.maxAge + 1, now)
      const at = new Date(proved)
      const absoluteDeadline = laterOf(
        old.absoluteDeadline,
        new Date(proved + Math.min(absoluteTimeout, context.maxAge)),
      )
      return {
        // Of two proofs the later one counts, but for one of a clock that was ahead.
        authenticatedAt: old.authenticatedAt.getTime() > now ? at : laterOf(old.authenticatedAt, at),
        absoluteDeadline,
        idleDeadline: idleDeadlineAt(now, idleTimeout, absoluteDeadline),
        details: encodeDetails({ ...details, factors: mergeFactors(details.factors, methods, at, now) }),
        ...(Object.keys(patch).length > 0 && { metadata: patchMetadata(old.metadata, patch) }),
      }
    }
    return await this.#renew(id, token, neededBy, prove, Object.keys(patch))
  }

  /** A new secret and nothing else: it proves nothing of the user. Resolves with `null` as `reauthenticate` does. */
  async rotateSecret(id: SessionId, token: SessionToken, neededBy: string): Promise<Reauthenticated | null> {
    return await this.#renew(id, token, neededBy, () => ({}), [])
  }

  /** A new secret, and what `changesOf` says. `patched`: the keys of the metadata that it changes. */
  async #renew(
    id: SessionId,
    token: SessionToken | null,
    neededBy: string,
    changesOf: (old: SessionRecord, now: number) => SessionChanges,
    patched: readonly string[],
  ): Promise<Reauthenticated | null> {
    const { context } = this.#source
    const store = requireCapability(context.store, 'updateSession', neededBy)
    const secret = createSecret()
    const secretHash = hashSecret(secret)
    let old: SessionRecord | null = null
    const revert = async (): Promise<void> => {
      if (old !== null) await this.#revert(store, old, secretHash, patched)
    }
    const changed = await this.#inOrder(context, id, () =>
      this.#change(context, store, id, (record, now) => {
        // A client that lost its connection sent the update twice, and its first answer.
        if (record.secretHash === secretHash) return 'made'
        if (token !== null && secretHashOf(token) !== record.secretHash) return null
        const changes = { ...changesOf(record, now), secretHash }
        old = record
        return changes
      }).catch(async (error) => {
        await revert()
        throw error
      }),
    )
    if (changed === null) return null
    const { record, now } = changed
    context.tracking?.pending.record(id, now)
    // It was alive before the change, which moves nothing back.
    const session = liveSession(record, context.tracking?.pending.latest(id), now, context) as Session
    const { persistent } = record
    const lifetime = session.absoluteDeadline.getTime() - now
    return { session, token: tokenOf(id, secret), persistent, lifetime, revert }
  }

  /** Resolves with false if there is no such session. */
  async updateMetadata(id: SessionId, patch: MetadataPatch, userId: string | null): Promise<boolean> {
    const { context } = this.#source
    const store = requireCapability(context.store, 'updateSession', 'app.gosesh.updateMetadata()')
    const changed = await this.#inOrder(context, id, () =>
      this.#change(context, store, id, (record) =>
        userId === null || record.userId === userId
          ? { metadata: patchMetadata(record.metadata, patch) }
          : null,
      ),
    )
    return changed !== null
  }

  /**
   * Binds the session to the device of this key, once and for all. `same`: it is bound to it already. `taken`: to another one.
   * `null`: there is no such session.
   */
  async bindDevice(id: SessionId, key: DeviceKey): Promise<'bound' | 'same' | 'taken' | null> {
    const { context } = this.#source
    const store = requireCapability(context.store, 'updateSession', 'The option deviceBinding')
    const found: { device: DeviceKey | null } = { device: null }
    const changed = await this.#inOrder(context, id, () =>
      this.#change(context, store, id, (record) => {
        const details = parseDetails(record.details)
        found.device = details.device
        if (details.device !== null) return null
        return { deviceBound: true, details: encodeDetails({ ...details, device: key }) }
      }),
    )
    if (changed !== null) return 'bound'
    if (found.device === null) return null
    return isSameKey(found.device, key) ? 'same' : 'taken'
  }

  /** `onClose`: tries once more to undo what could not be undone. Never rejects. */
  async stop(): Promise<void> {
    await Promise.all([...this.#running.values(), ...this.#reverting])
    await this.#retried.stop()
  }

  /** Waits for the change before it, but for no longer than the store has for a call. */
  async #inOrder<T>(context: Context, id: SessionId, work: () => Promise<T>): Promise<T> {
    const before = this.#running.get(id)
    const result = this.#after(context, before, work)
    const settled = Promise.allSettled([before, result]).then(() => {
      if (this.#running.get(id) === settled) this.#running.delete(id)
    })
    this.#running.set(id, settled)
    return await result
  }

  async #after<T>(
    { store }: Context,
    before: Promise<unknown> | undefined,
    work: () => Promise<T>,
  ): Promise<T> {
    const late = (): Error =>
      storeError('updateSession', new Error('other changes of the session take too long'))
    if (before !== undefined) await within(before, store.limits.storeTimeout, late)
    return await work()
  }

  /** Resolves with `null`, having changed nothing, if there is no live session, or `changesOf` returns `null`. */
  async #change(
    context: Context,
    store: UpdatingStore,
    id: SessionId,
    changesOf: (record: SessionRecord, now: number) => SessionChanges | 'made' | null,
  ): Promise<{ record: SessionRecord; now: number } | null> {
    for (let tries = 1; tries <= maxTries; tries++) {
      const record = await context.store.getSession(id)
      const now = context.clock.now()
      if (record === null) return null
      if (liveSession(record, context.tracking?.pending.latest(id), now, context) === null) return null
      const changes = changesOf(record, now)
      if (changes === null) return null
      if (changes === 'made') return { record, now }
      const result = await store.updateSession(id, record.version, changes)
      if (result === 'absent') return null
      if (result === 'updated') return { record: changedRecord(record, changes), now }
    }
    throw conflictError()
  }

  /**
   * Makes certain that the old secret is in force: the re-authentication failed, or its token never reached the client. An
   * update that has not landed yet meets a version that is not its own any more; one that has landed is undone by the version
   * that it made. Tried until the store has answered; never rejects. The absolute deadline stays where the update moved it.
   */
  async #revert(
    store: UpdatingStore,
    old: SessionRecord,
    secretHash: string,
    patched: readonly string[],
  ): Promise<void> {
    const { id, authenticatedAt } = old
    const { factors } = parseDetails(old.details)
    const patch = Object.fromEntries(patched.map((key) => [key, old.metadata?.[key] ?? null]))
    const attempt = async (): Promise<void> => {
      // The version that the update would replace, else the one that it made, or that another change made after it.
      let { version, metadata, details } = old
      for (let tries = 1; tries <= maxTries; tries++) {
        const restored: SessionChanges = {
          secretHash: old.secretHash,
          authenticatedAt,
          // A device that registered meanwhile stays.
          details: encodeDetails({ ...parseDetails(details), factors }),
          ...(patched.length > 0 && { metadata: patchMetadata(metadata, patch) }),
        }
        if ((await store.updateSession(id, version, restored)) !== 'conflict') return
        const found = await this.#source.context.store.getSession(id)
        if (found === null) return
        // The conflict shows that there is a later version: what was read is out of date, as on a replica.
        if (found.version <= version) break
        if (found.secretHash !== secretHash) return
        version = found.version
        ;({ metadata, details } = found)
      }
      throw conflictError()
    }
    const reverting = attempt().catch((error) => this.#retried.add(id, attempt, error, secretHash))
    this.#reverting.add(reverting)
    await reverting
    this.#reverting.delete(reverting)
  }
}

function laterOf(a: Date, b: Date): Date {
  return a > b ? a : b
}

function conflictError(): GoseshError {
  return new GoseshError('GOSESH_ERR_STORE_UNAVAILABLE', {
    cause: new Error('other changes of the session came first all the time'),
  })
}

/** The record as the store has it after the changes. */
function changedRecord(record: SessionRecord, changes: SessionChanges): SessionRecord {
  const given = Object.entries(changes).filter(([, value]) => value !== undefined)
  return { ...record, ...Object.fromEntries(given), version: record.version + 1 }
}
