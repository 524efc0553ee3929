import type { FastifyInstance } from 'fastify'
import type { SessionCacheOptions } from '../../lib/index.js'
import type { Stores } from '../harness/servers.js'

export type StoreName = 'memory' | 'redis' | 'postgres'

/** How a peer is set up. What a peer does not know of does not concern it. */
export interface PeerSettings extends Stores {
  readonly store?: StoreName
  /** gosesh: exact activity, written in batches. */
  readonly tracking?: boolean
  /** gosesh: sessions in memory. */
  readonly sessionCache?: SessionCacheOptions
  /** gosesh: sessions that are bound to a key of the browser; their cookies are `Secure`. */
  readonly deviceBinding?: boolean
  /** @fastify/session: the cookie, and with it the expiry in the store, is renewed by each request. */
  readonly rolling?: boolean
  /** How long a session lives, in milliseconds. */
  readonly lifetime: number
}

/**
 * An application that does the same job with each of the peers: `POST /login` with `{ userId }` begins a session, `GET
 * /me` answers `{ userId }` or 401, `POST /logout` ends the session. Those that keep data read a value at `GET /data`, change it at
 * `GET /count`, set one at `GET /set/:key`, and show all at `GET /all`. All over plain http, so no cookie is `Secure`.
 */
export interface PeerApp {
  readonly app: FastifyInstance
  /** Writes what waits in memory for the store. */
  flush?(): Promise<void>
  /** A session whose cookies are more than what `POST /login` sets: the header of a request. */
  signIn?(userId: string): Promise<string>
  /** Requests that found their session in memory, and those that did not. */
  cacheCounts?(): readonly [hits: number, misses: number]
  /** Closes what the peer opened beside the application. */
  close?(): Promise<unknown>
}

export type Peer = (settings: PeerSettings) => Promise<PeerApp>

/** A secret for the peers that sign or encrypt their cookies. */
export const secret = 'a secret of the benchmark, of 44 characters.'

export interface LoginBody {
  readonly userId: string
}
