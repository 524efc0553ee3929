import type { AddressInfo } from 'node:net'
import { answerCalls, argument } from '../harness/program.js'
import { type PeerName, peers } from '../peers/all.js'
import type { PeerSettings } from '../peers/peer.js'

const { peer, settings } = argument<{ peer: PeerName; settings: PeerSettings }>()
const { app, flush, cacheCounts, signIn: signInByPeer, close } = await peers[peer](settings)

/** The cookie of a new session of the user. */
async function signIn(userId: string): Promise<string> {
  if (signInByPeer !== undefined) return await signInByPeer(userId)
  const response = await app.inject({ method: 'POST', url: '/login', payload: { userId } })
  const [cookie] = [response.headers['set-cookie'] ?? []].flat()
  if (response.statusCode !== 200 || cookie === undefined) {
    throw new Error(`${peer}: signing in answered ${response.statusCode} ${response.body}`)
  }
  return cookie.slice(0, cookie.indexOf(';'))
}

answerCalls({
  async listen() {
    await app.listen({ port: 0, host: '127.0.0.1' })
    return (app.server.address() as AddressInfo).port
  },
  async signIn(from: number, to: number) {
    const cookies: string[] = []
    for (let i = from; i < to; i++) cookies.push(await signIn(`user-${i}`))
    return cookies
  },
  /** Microseconds of processor time, of all threads of this process. */
  cpu() {
    const { user, system } = process.cpuUsage()
    return user + system
  },
  memory() {
    globalThis.gc?.()
    return process.memoryUsage()
  },
  async flush() {
    await flush?.()
  },
  cacheCounts: () => cacheCounts?.() ?? [0, 0],
  async close() {
    await app.close()
    await close?.()
  },
})
