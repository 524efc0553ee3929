import { hash } from 'node:crypto'
import type { Redis } from 'ioredis'
import type pg from 'pg'
import { secretHashOf, sessionIdOf, tokenOf as tokenWith } from '../../lib/core/token.js'
import type { SessionId, SessionRecord, SessionStore, SessionToken } from '../../lib/index.js'
import { encodeSession } from '../../lib/stores/redis/codec.js'

const halfAnHour = 30 * 60_000
const day = 24 * 3_600_000
/** Sessions written at once. */
const pageSize = 10_000

/** The token of the n-th session; the same in every process, so that none has to be handed over. */
export function tokenOf(index: number): SessionToken {
  const random = hash('sha256', `session ${index}`, 'base64url')
  return tokenWith(random.slice(0, 22) as SessionId, random)
}

export function idOf(index: number): SessionId {
  return sessionIdOf(tokenOf(index))
}

/** Sessions that began a second ago, as a sign-in makes them. */
export function* sessionsFrom(from: number, to: number): Generator<SessionRecord> {
  const start = Date.now() - 1_000
  for (let i = from; i < to; i++) {
    yield {
      id: idOf(i),
      secretHash: secretHashOf(tokenOf(i)),
      version: 1,
      userId: `user-${i}`,
      createdAt: new Date(start),
      lastActivityAt: new Date(start),
      authenticatedAt: new Date(start),
      idleTimeout: halfAnHour,
      idleDeadline: new Date(start + halfAnHour),
      absoluteTimeout: day,
      absoluteDeadline: new Date(start + day),
      persistent: true,
      deviceBound: false,
      metadata: { client: 'Firefox on Linux' },
      details: null,
    }
  }
}

export async function seedStore(store: SessionStore, from: number, to: number): Promise<void> {
  for (const session of sessionsFrom(from, to)) await store.createSession(session)
}

function* pages(from: number, to: number): Generator<SessionRecord[]> {
  for (let i = from; i < to; i += pageSize) yield [...sessionsFrom(i, Math.min(i + pageSize, to))]
}

/** The values that the store would write, without the index of each user: a million sign-ins would take minutes. */
export async function seedRedis(client: Redis, from: number, to: number): Promise<void> {
  for (const page of pages(from, to)) {
    const pipeline = client.pipeline()
    for (const session of page) {
      const deadline = (session.idleDeadline as Date).getTime() + 300_000
      pipeline.set(`gosesh:session:{${session.id}}`, encodeSession(session), 'PXAT', deadline)
    }
    await pipeline.exec()
  }
}

export async function seedPostgres(pool: pg.Pool, from: number, to: number): Promise<void> {
  const text = `INSERT INTO gosesh_sessions
    (id, user_id, secret_hash, created_at, last_activity_at, authenticated_at, absolute_deadline, idle_deadline,
      idle_timeout, absolute_timeout, metadata, version, persistent, device_bound)
    SELECT v.id, v.user_id, v.secret_hash, $4, $4, $4, $5, $6, $7, $8, $9, 1, true, false
    FROM unnest($1::text[], $2::text[], $3::text[]) AS v (id, user_id, secret_hash)`
  for (const page of pages(from, to)) {
    const [first] = page as [SessionRecord]
    await pool.query(text, [
      page.map(({ id }) => id),
      page.map(({ userId }) => userId),
      page.map(({ secretHash }) => secretHash),
      first.createdAt.toISOString(),
      first.absoluteDeadline.toISOString(),
      (first.idleDeadline as Date).toISOString(),
      first.idleTimeout,
      first.absoluteTimeout,
      JSON.stringify(first.metadata),
    ])
  }
  await pool.query('VACUUM (ANALYZE) gosesh_sessions')
}
