import cookie from '@fastify/cookie'
import Fastify from 'fastify'
import type { PeerApp } from './peer.js'

/** The same application without sessions. */
export async function plainPeer(): Promise<PeerApp> {
  const app = Fastify()
  app.get('/public', async () => ({ open: true }))
  return { app }
}

/** With the plugin that reads and writes cookies, which sessions in cookies need. */
export async function cookiesPeer(): Promise<PeerApp> {
  const { app } = await plainPeer()
  await app.register(cookie)
  return { app }
}
