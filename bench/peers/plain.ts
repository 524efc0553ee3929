import Fastify from 'fastify'
import type { PeerApp } from './peer.js'

/** The same application without sessions. */
export async function plainPeer(): Promise<PeerApp> {
  const app = Fastify()
  app.get('/public', async () => ({ open: true }))
  return { app }
}
