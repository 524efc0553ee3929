import { betterAuthPeer } from './better-auth.js'
import { fastifySessionPeer } from './fastify-session.js'
import { floorPeer } from './floor.js'
import { fullFloorPeer } from './floor-parts.js'
import { goseshPeer } from './gosesh.js'
import { mgcreaSessionPeer } from './mgcrea-session.js'
import type { Peer } from './peer.js'
import { cookiesPeer, plainPeer } from './plain.js'
import { secureSessionPeer } from './secure-session.js'

export const peers = {
  gosesh: goseshPeer,
  floor: floorPeer,
  'full-floor': fullFloorPeer,
  'fastify-session': fastifySessionPeer,
  'secure-session': secureSessionPeer,
  'mgcrea-session': mgcreaSessionPeer,
  'better-auth': betterAuthPeer,
  plain: plainPeer,
  cookies: cookiesPeer,
} satisfies Record<string, Peer>

export type PeerName = keyof typeof peers
