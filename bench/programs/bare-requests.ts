import type { FastifyInstance } from 'fastify'
import { BareRequests } from '../harness/bare-requests.js'
import { profileOf } from '../harness/profile.js'
import { answerCalls } from '../harness/program.js'
import { floorPeer } from '../peers/floor.js'
import { floorWith, type Part, parts } from '../peers/floor-parts.js'
import { goseshPeer } from '../peers/gosesh.js'
import { cookiesPeer, plainPeer } from '../peers/plain.js'

const sessionCount = 1_000
const day = 24 * 3_600_000

async function cookiesOf(app: FastifyInstance): Promise<string[]> {
  const cookies: string[] = []
  for (let i = 0; i < sessionCount; i++) {
    const response = await app.inject({ method: 'POST', url: '/login', payload: { userId: `user-${i}` } })
    const [cookie] = [response.headers['set-cookie'] ?? []].flat() as [string]
    cookies.push(cookie.slice(0, cookie.indexOf(';')))
  }
  return cookies
}

async function verified(app: FastifyInstance): Promise<BareRequests> {
  return new BareRequests(app, '/me', await cookiesOf(app))
}

async function anonymous(app: FastifyInstance): Promise<BareRequests> {
  await app.ready()
  return new BareRequests(app, '/public', [])
}

async function gosesh(): Promise<FastifyInstance> {
  return (await goseshPeer({ tracking: true, lifetime: day })).app
}

const floors = parts.map(
  async (part): Promise<[Part, BareRequests]> => [part, await verified(await floorWith(part))],
)
const candidates: Record<string, BareRequests> = {
  floor: await verified((await floorPeer({ lifetime: day })).app),
  ...Object.fromEntries(await Promise.all(floors)),
  gosesh: await verified(await gosesh()),
  'anonymous: nothing': await anonymous((await plainPeer()).app),
  'anonymous: cookies': await anonymous((await cookiesPeer()).app),
  'anonymous: gosesh': await anonymous(await gosesh()),
}

answerCalls({
  time: (name: string, count: number) => candidates[name]?.time(count),
  profile: (name: string, count: number) => profileOf(async () => candidates[name]?.time(count)),
})
