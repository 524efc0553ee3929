import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { requireCapability } from '../core/capabilities.js'
import { isGoseshError } from '../core/errors.js'
import { type BoundCookie, boundCookiesOf } from '../device-binding/bound-cookie.js'
import { DeviceEndpoints, type DeviceKeys } from '../device-binding/endpoints.js'
import { loadJose, ProofVerifier } from '../device-binding/proofs.js'
import { SignedValues } from '../device-binding/signed-values.js'
import type { Settings } from '../options/options.js'
import type { ContextSource } from '../session/context.js'
import { findDeviceKey } from '../session/device-keys.js'
import type { SessionServices } from '../session/services.js'
import { forbidCaching } from './cache-headers.js'
import { published, refused } from './device-events.js'
import { DeviceGuard } from './device-guard.js'
import { replyState } from './reply-state.js'

/** The wiring of the option `deviceBinding`, whose file nobody loads without it. */
export async function bindDevices(
  context: FastifyInstance,
  settings: Settings,
  binding: NonNullable<Settings['deviceBinding']>,
  source: ContextSource,
  services: SessionServices,
): Promise<DeviceGuard> {
  const { clock, credentials } = settings
  const values = new SignedValues(binding.secrets)
  const cookies = boundCookiesOf(credentials, values, binding.lifetime)
  const jose = await loadJose()
  const keys: DeviceKeys = {
    find: (id) => findDeviceKey(source.context, id),
    bind: (id, key) => services.updater.bindDevice(id, key),
  }
  const verifier = new ProofVerifier(jose)
  const endpoints = new DeviceEndpoints(binding, clock, keys, values, verifier, DeviceGuard.presented)

  context.addHook('onReady', async () => {
    requireCapability(source.context.store, 'updateSession', 'The option deviceBinding')
  })
  context.addHook('onSend', (request, reply, payload, done) => {
    offerOrClear(request, reply, cookies, endpoints)
    done(null, payload)
  })
  context.register(
    async (routes) => {
      // What a body says is of no interest, and one that never ends is not waited for.
      routes.removeAllContentTypeParsers()
      routes.addContentTypeParser('*', (_request, _payload, done) => done(null))
      // Whatever the application makes of errors, here a browser reads the status.
      routes.setErrorHandler(async (error, _request, reply) => {
        forbidCaching(reply)
        if (!isGoseshError(error))
          return reply.code(503).send({ statusCode: 503, error: 'Service Unavailable' })
        const { statusCode, code, message, headers = {} } = error
        return reply.code(statusCode).headers(headers).send({ statusCode, code, message })
      })
      for (const [url, channel, answer] of [
        ['', 'deviceRegistration', endpoints.register.bind(endpoints)],
        ['/refresh', 'deviceRefresh', endpoints.refresh.bind(endpoints)],
      ] as const) {
        routes.post(url, { config: { session: false } }, async (request, reply) => {
          forbidCaching(reply)
          if (hasBody(request)) reply.header('connection', 'close')
          const cookie = cookieNamed(cookies, request)
          return await published(services.events, channel, request.id, () => answer(request, reply, cookie))
        })
      }
    },
    { prefix: binding.path.slice(context.prefix.length) },
  )
  return new DeviceGuard({
    clock,
    cookies,
    boundAt: async (id) => (await keys.find(id))?.boundAt ?? null,
    refused: (message, reqId) => refused(services.events, message, reqId),
  })
}

/** Each cookie has endpoints of its own, told apart by the query. */
function cookieNamed(cookies: readonly BoundCookie[], request: FastifyRequest): BoundCookie {
  const { cookie } = request.query as { cookie?: unknown }
  return cookies.find(({ credential }) => credential.cookieName === cookie) ?? (cookies[0] as BoundCookie)
}

function hasBody({ headers, raw }: FastifyRequest): boolean {
  if (raw.httpVersionMajor !== 1) return false
  return headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0'
}

/**
 * After a sign-in, or a re-authentication of a session that is not bound yet, offers to bind it; after a sign-out ends the proof. A
 * new secret alone offers nothing: whoever has the cookie gets one.
 */
function offerOrClear(
  request: FastifyRequest,
  reply: FastifyReply,
  cookies: readonly BoundCookie[],
  endpoints: DeviceEndpoints,
): void {
  const state = reply[replyState]
  if (!state || state.session === undefined) return
  const { session, proved, credentials } = state
  for (const cookie of cookies) {
    if (!credentials.has(cookie.credential)) continue
    if (session?.deviceBound) continue
    if (cookie.isPresented(request)) cookie.clear(reply)
    if (session === null || !proved) continue
    reply.header('secure-session-registration', endpoints.offer(session.id, cookie))
  }
}
