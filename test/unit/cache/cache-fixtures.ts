import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import type { GoseshOptions, SessionCacheStats, SessionEnd } from '../../../lib/index.js'
import { buildApp } from '../../tools/app.js'
import { LoggedStore } from '../../tools/logged-store.js'

export interface Node {
  readonly app: FastifyInstance
  readonly ends: SessionEnd[]
  readonly stats: () => SessionCacheStats
}

/** An app with the cache, over a store that others may share. The log is asked only at the start and when the app asks for it. */
export async function cachingNode(
  t: Test,
  options: GoseshOptions = {},
  store: LoggedStore = new LoggedStore(),
): Promise<Node & { store: LoggedStore }> {
  const sessionCache = { pollInterval: 1_000_000, maxStaleness: 4_000_000, maxEntryAge: 8_000_000 }
  const app = buildApp(t, { store, sessionCache, ...options })
  await app.ready()
  const ends: SessionEnd[] = []
  app.gosesh.onSessionEnd((end) => void ends.push(end))
  const stats = (): SessionCacheStats => {
    const { cacheStats } = app.gosesh
    if (cacheStats === null) throw new Error('the cache is off')
    return cacheStats
  }
  return { app, ends, stats, store }
}

/** Has the node look at the log, as it does before it acknowledges this call. */
export async function poll({ app }: Node): Promise<void> {
  await app.gosesh.deleteUserSessions('nobody')
}
