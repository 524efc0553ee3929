import Fastify from 'fastify'
import gosesh from '../../../lib/index.js'
import { openBackend, type Place, type StoreName } from './backend.js'

/** What the process that starts this one says, and hears. */
export interface NodeSettings extends Place {
  readonly store: StoreName
  readonly maxStaleness: number
}

export type NodeCommand =
  | { readonly kind: 'watch'; readonly tokens: readonly string[] }
  | { readonly kind: 'report' }

/** By token, when it was accepted last, milliseconds since the epoch; and how often from memory. */
export interface NodeReport {
  readonly lastAccepted: Readonly<Record<string, number>>
  readonly hits: number
}

/** Milliseconds from the answer of a request to the next one with the same token. */
const pause = 10

const settings: NodeSettings = JSON.parse(process.env.NODE_SETTINGS ?? '{}')
const backend = await openBackend(settings.store, settings)
const app = Fastify()
app.register(gosesh, {
  store: backend.store,
  storeTimeout: 1_000,
  logger: { debug() {}, info() {}, warn() {}, error() {} },
  sessionCache: { maxStaleness: settings.maxStaleness },
})
app.get('/me', { config: { session: { required: true } } }, async () => Date.now())
await app.ready()

const lastAccepted: Record<string, number> = {}

async function ask(token: string): Promise<void> {
  const response = await app.inject({ url: '/me', headers: { cookie: `__Host-session=${token}` } })
  if (response.statusCode === 200) lastAccepted[token] = Number(response.body)
  setTimeout(() => void ask(token), pause)
}

process.on('message', (command: NodeCommand) => {
  if (command.kind === 'watch') for (const token of command.tokens) void ask(token)
  else process.send?.({ lastAccepted, hits: app.gosesh.cacheStats?.hits ?? 0 } satisfies NodeReport)
})
process.once('disconnect', () => process.exit())
process.send?.('ready')
