import type { FastifyInstance, LightMyRequestResponse } from 'fastify'
import type { Test } from 'tap'
import type { GoseshOptions, ReplyReauthenticateOptions } from '../../../lib/index.js'
import { buildApp } from '../../tools/app.js'
import { recordingLogger } from '../../tools/logger.js'
import { WatchedStore } from '../../tools/store.js'

export const start: number = Date.parse('2030-01-01T00:00:00Z')
export const minute = 60_000
export const hour: number = 60 * minute

/** An application whose clock the test moves, and whose store it can make fail. */
export function setUp(t: Test, options: GoseshOptions = {}) {
  const clock = { now: () => time.now }
  const time = { now: start }
  const store = new WatchedStore()
  const logger = recordingLogger()
  const app = buildApp(t, { store, clock, logger, ...options })
  return { app, store, time, logger }
}

export function confirm(
  app: FastifyInstance,
  cookie: string,
  body: ReplyReauthenticateOptions = {},
  headers: Readonly<Record<string, string>> = {},
): Promise<LightMyRequestResponse> {
  return app.inject({ method: 'POST', url: '/confirm', headers: { cookie, ...headers }, body })
}
