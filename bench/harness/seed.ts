import { hash } from 'node:crypto'
import type { Redis } from 'ioredis'
import type pg from 'pg'
import { sessionIdOf } from '../../lib/core/token.js'
import type { Session, SessionId, SessionStore, SessionToken } from '../../lib/index.js'
import { encodeSession } from '../../lib/stores/redis/codec.js'

const halfAnHour = 30 * 60_000
const day = 24 * 3_600_000
/** Sessions written at once. */
const pageSize = 10_000

/** The token of the n-th session; the same in every process, so that none has to be handed over. */
export function tokenOf(index: number): SessionToken {
  return hash('sha256', `session ${index}`, 'base64url') as SessionToken
}

export function idOf(index: number): SessionId {
  return sessionIdOf(tokenOf(index))
}

/** Sessions that began a second ago, as a sign-in makes them. */
export function* sessionsFrom(from: number, to: number): Generator<Session> {
  const start = Date.now() - 1_000
  for (let i = from; i < to; i++) {
    yield {
      id: idOf(i),
      userId: `user-${i}`,
      createdAt: new Date(start),
      lastActivityAt: new Date(start),
      idleTimeout: halfAnHour,
      idleDeadline: new Date(start + halfAnHour),
      absoluteDeadline: new Date(start + day),
      metadata: { client: 'Firefox on Linux' },
    }
  }
}

export async function seedStore(store: SessionStore, from: number, to: number): Promise<void> {
  for (const session of sessionsFrom(from, to)) await store.createSession(session)
}

function* pages(from: number, to: number): Generator<Session[]> {
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
    (id, user_id, created_at, last_activity_at, absolute_deadline, idle_deadline, idle_timeout, metadata)
    SELECT v.id, v.user_id, $3, $3, $4, $5, $6, $7 FROM unnest($1::text[], $2::text[]) AS v (id, user_id)`
  for (const page of pages(from, to)) {
    const [first] = page as [Session]
    await pool.query(text, [
      page.map(({ id }) => id),
      page.map(({ userId }) => userId),
      first.createdAt.toISOString(),
      first.absoluteDeadline.toISOString(),
      (first.idleDeadline as Date).toISOString(),
      first.idleTimeout,
      JSON.stringify(first.metadata),
    ])
  }
  await pool.query('VACUUM (ANALYZE) gosesh_sessions')
}
