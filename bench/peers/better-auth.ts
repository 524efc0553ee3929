import type { IncomingHttpHeaders } from 'node:http'
import Fastify from 'fastify'
import type pg from 'pg'
import { loadPackage } from '../harness/load-package.js'
import { type LoginBody, type PeerApp, type PeerSettings, secret } from './peer.js'
import { pool } from './stores.js'

interface Answer {
  readonly ok: boolean
  readonly headers: Headers
}

/** The part of better-auth that is used here. */
interface Auth {
  readonly api: {
    getSession(context: { headers: Headers }): Promise<{ readonly user: { readonly name: string } } | null>
    signUpEmail(context: { body: object; asResponse: true }): Promise<Answer>
    signInEmail(context: { body: object; asResponse: true }): Promise<Answer>
    signOut(context: { headers: Headers; asResponse: true }): Promise<Answer>
  }
}

interface Packages {
  betterAuth(options: object): Auth
  getMigrations(options: object): Promise<{ runMigrations(): Promise<void> }>
  fromNodeHeaders(headers: IncomingHttpHeaders): Headers
}

async function packages(): Promise<Packages> {
  return {
    ...(await loadPackage<Pick<Packages, 'betterAuth'>>('better-auth')),
    ...(await loadPackage<Pick<Packages, 'getMigrations'>>('better-auth/db/migration')),
    ...(await loadPackage<Pick<Packages, 'fromNodeHeaders'>>('better-auth/node')),
  }
}

function optionsFor(database: pg.Pool, lifetime: number): object {
  return {
    database,
    secret,
    baseURL: 'http://127.0.0.1',
    telemetry: { enabled: false },
    logger: { disabled: true },
    session: { expiresIn: lifetime / 1_000 },
    // Signing in is not what is measured, and a real hash would take most of the benchmark's time.
    emailAndPassword: {
      enabled: true,
      password: { hash: async (password: string) => password, verify: async () => true },
    },
  }
}

/** better-auth on PostgreSQL; a request is verified by `getSession`, as its guide for Fastify has it. */
export async function betterAuthPeer(settings: PeerSettings): Promise<PeerApp> {
  const { betterAuth, getMigrations, fromNodeHeaders } = await packages()
  const connections = pool(settings)
  const options = optionsFor(connections, settings.lifetime)
  await (await getMigrations(options)).runMigrations()
  const { api } = betterAuth(options)
  const app = Fastify()
  app.post<{ Body: LoginBody }>('/login', async (request, reply) => {
    const { userId: name } = request.body
    const body = { name, email: `${name}@example.com`, password: 'a password' }
    const known = await api.signInEmail({ body, asResponse: true })
    const { headers } = known.ok ? known : await api.signUpEmail({ body, asResponse: true })
    for (const cookie of headers.getSetCookie()) reply.header('set-cookie', cookie)
    return {}
  })
  app.get('/me', async (request, reply) => {
    const session = await api.getSession({ headers: fromNodeHeaders(request.headers) })
    if (session === null) return reply.code(401).send({})
    return { userId: session.user.name }
  })
  app.post('/logout', async (request) => {
    await api.signOut({ headers: fromNodeHeaders(request.headers), asResponse: true })
    return {}
  })
  return { app, close: () => connections.end() }
}
