import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { request } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import websocket from '@fastify/websocket'
import Fastify, { type FastifyInstance } from 'fastify'
import { type BrowserContext, chromium, type Page } from 'playwright-core'
import type { Test } from 'tap'
import { createCertificate } from '../../../examples/app/certificate.js'
import gosesh, { type GoseshOptions } from '../../../lib/index.js'
import { settle } from '../../tools/clock.js'
import { deviceBinding } from '../../tools/device-key.js'
import { WatchedStore } from '../../tools/store.js'

const host = 'app.test'
const elsewhere = 'elsewhere.test'
export const certificate = createCertificate([host, elsewhere])
export const boundName = '__Host-session-bound'

/** What Chromium says of its device-bound sessions. */
export interface DeviceEvent {
  readonly succeeded: boolean
  readonly sessionId?: string
  readonly creationEventDetails?: { readonly fetchResult: string }
  readonly refreshEventDetails?: { readonly refreshResult: string; readonly fetchResult?: string }
  readonly terminationEventDetails?: { readonly deletionReason: string }
}

const flags = [
  '--enable-features=DeviceBoundSessions:RefreshQuota/false,EnableBoundSessionCredentialsSoftwareKeysForManualTesting',
  `--ignore-certificate-errors-spki-list=${certificate.keyHash}`,
  '--host-resolver-rules=MAP *.test 127.0.0.1',
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** Waits until it is so, for as long as a browser may take. */
export async function until<T>(
  what: string,
  find: () => T | undefined | null | false | Promise<T | undefined | null | false>,
): Promise<T> {
  const deadline = Date.now() + 15_000
  for (;;) {
    const found = await find()
    if (found) return found
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`)
    await settle()
  }
}

/** An application over https, whose clock can be put forward, and a page of another site that links to it. */
export async function startApp(t: Test, options: GoseshOptions = {}) {
  let offset = 0
  const clock = {
    now: () => Date.now() + offset,
    forward(ms: number) {
      offset += ms
    },
  }
  const store = new WatchedStore()
  const app: FastifyInstance = Fastify({ https: certificate }) as never
  t.teardown(() => app.close())
  const seen: { url: string; headers: Record<string, unknown>; status: number }[] = []
  app.addHook('onResponse', async ({ url, headers }, { statusCode }) => {
    seen.push({ url, headers, status: statusCode })
  })
  await app.register(websocket)
  await app.register(gosesh, { store, clock, deviceBinding, ...options })
  // Without a page's icon, which the browser would ask for at a time of its own, and refresh a proof for.
  const head = '<!doctype html><title>x</title><link rel="icon" href="data:,">'
  const html = (text: string) => `${head}<h1>${text}</h1>`
  app.get('/', async (request, reply) =>
    reply.type('text/html').send(html(request.session?.userId ?? 'nobody')),
  )
  app.get('/sign-in', async (_request, reply) => {
    await reply.signIn('ada')
    return reply.redirect('/account', 303)
  })
  app.post('/login', async (_request, reply) => reply.signIn('ada'))
  app.get('/account', { config: { session: { required: true } } }, async (request, reply) =>
    reply.type('text/html').send(html(request.session?.userId ?? '')),
  )
  app.get('/me', { config: { session: { required: true } } }, async (request) => request.session)
  app.get('/bound', { config: { session: { deviceBound: true } } }, async () => 'in')
  app.get('/socket', { websocket: true, config: { session: { required: true } } }, (socket) =>
    socket.send('in'),
  )
  app.post('/logout', async (_request, reply) => {
    await reply.signOut()
    return {}
  })
  app.get('/clear', async (_request, reply) =>
    reply.header('clear-site-data', '"cookies", "storage"').send({}),
  )
  app.get('/link', async (request, reply) => {
    const { to } = request.query as { to: string }
    return reply.type('text/html').send(`${head}<a href="${to}">on</a>`)
  })
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo
  return {
    app,
    store,
    clock,
    seen,
    origin: `https://${host}:${port}`,
    elsewhere: `https://${elsewhere}:${port}`,
  }
}

export type App = Awaited<ReturnType<typeof startApp>>

/** A folder for a profile of the browser, gone after the test. */
export async function newProfile(t: Test): Promise<string> {
  const profile = await mkdtemp(join(tmpdir(), 'gosesh-profile-'))
  t.teardown(() => rm(profile, { recursive: true, force: true, maxRetries: 5 }))
  return profile
}

export async function openBrowser(t: Test, profile: string): Promise<BrowserContext> {
  const { CHROMIUM: executablePath = '/usr/bin/chromium' } = process.env
  const context = await chromium.launchPersistentContext(profile, { executablePath, args: flags })
  t.teardown(() => context.close())
  return context
}

/** A page, and what the browser says of keys from here on. */
export async function openPage(context: BrowserContext): Promise<{ page: Page; events: DeviceEvent[] }> {
  const page = await context.newPage()
  page.setDefaultTimeout(15_000)
  const cdp = await context.newCDPSession(page)
  const events: DeviceEvent[] = []
  cdp.on('Network.deviceBoundSessionEventOccurred', (event) => void events.push(event as DeviceEvent))
  await cdp.send('Network.enable')
  await cdp.send('Network.enableDeviceBoundSessions', { enable: true })
  return { page, events }
}

/** The status of a request of the page. */
export async function statusOf(page: Page, path: string, method = 'GET'): Promise<number> {
  return await page.evaluate(
    async ([url, by]) => (await fetch(url as string, { method: by as string })).status,
    [path, method],
  )
}

/** Signs in on a page, and waits until the browser has bound the session. */
export async function signInBound(
  { origin, clock }: App,
  page: Page,
  events: DeviceEvent[],
  context: BrowserContext,
): Promise<string> {
  const before = events.length
  await page.goto(`${origin}/sign-in`)
  const created = await until('a registration', () =>
    events.slice(before).find(({ creationEventDetails }) => creationEventDetails),
  )
  if (!created.succeeded) throw new Error(`registration failed: ${created.creationEventDetails?.fetchResult}`)
  await until('the bound cookie', async () => await cookieOf(context, origin, boundName))
  // Requests that were sent before the registration are let through for a moment.
  clock.forward(6_000)
  return String(created.sessionId)
}

export async function cookieOf(context: BrowserContext, origin: string, name: string) {
  return (await context.cookies(origin)).find((cookie) => cookie.name === name)
}

/** What ten minutes do: the browser has let go of the bound cookie, and the server takes it no more. */
export async function letProofExpire({ clock }: App, context: BrowserContext): Promise<void> {
  await context.clearCookies({ name: boundName })
  clock.forward(11 * 60_000)
}

/** A request of somebody who is no browser. */
export async function send(
  { origin }: App,
  path: string,
  headers: Record<string, string>,
  method = 'GET',
): Promise<{ status: number; headers: IncomingHttpHeaders }> {
  const { port } = new URL(origin)
  const sent = request({ host: '127.0.0.1', port, path, method, headers, rejectUnauthorized: false })
  sent.end()
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  response.resume()
  return { status: response.statusCode ?? 0, headers: response.headers }
}
