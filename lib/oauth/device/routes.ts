import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { DevicePage } from '../../../types/oauth.js'
import type { Session } from '../../../types/session.js'
import { GoseshError } from '../../core/errors.js'
import { internals, sessionOf } from '../../core/internals.js'
import { signInUrl } from '../../core/redirect-to-sign-in.js'
import { isRecent, lifetimeOf } from '../../core/timing.js'
import { isAmbient, verifiedBy } from '../../core/verified-by.js'
import { fieldsOf } from '../form.js'
import type { DeviceSettings, OAuthSettings } from '../options.js'
import { Html, page } from '../pages/html.js'
import { messageFor, sendOwnPage, sendPage } from '../pages/pages.js'
import { Attempts } from './attempts.js'
import { normaliseUserCode, showUserCode } from './codes.js'
import { allowedPage, codePage, confirmPage, deniedPage, undonePage } from './pages.js'
import { clientKey, type DeviceAuthorization, placeKey } from './service.js'

const grantType = 'urn:ietf:params:oauth:grant-type:device_code'

/** Device authorization, and what its routes are set up with. */
export interface DeviceParts {
  readonly authorization: DeviceAuthorization
  readonly settings: DeviceSettings
}

/** The client's id, `null` if it gives none; `undefined` if it is not known, or no id. */
function clientOf(id: string | undefined, { clients }: DeviceSettings): string | null | undefined {
  if (clients !== null) return id !== undefined && Object.hasOwn(clients, id) ? id : undefined
  if (id === undefined) return null
  return /^[\w.-]{1,64}$/.test(id) ? id : undefined
}

/** RFC 6749, section 5.2. */
function fail(reply: FastifyReply, error: string): FastifyReply {
  return reply.code(400).send({ error })
}

/** A form that is none is an error of RFC 6749 here, too; all others are the application's to answer. */
function failForm(error: unknown, _request: FastifyRequest, reply: FastifyReply): FastifyReply {
  if (error instanceof GoseshError && error.code === 'GOSESH_ERR_OAUTH_REQUEST') {
    return fail(reply, 'invalid_request')
  }
  throw error
}

/** `POST /device/code` and `POST /device/token`, which devices call. */
export function deviceApiRoutes(
  routes: FastifyInstance,
  { origin, prefix }: OAuthSettings,
  { authorization, settings }: DeviceParts,
): void {
  const address = `${origin}${prefix}/device`
  const options = { config: { session: false }, errorHandler: failForm } as const

  // RFC 8628, section 3.2.
  routes.post('/device/code', options, async (request, reply) => {
    const client = clientOf(fieldsOf(request.body).client_id, settings)
    if (client === undefined) return fail(reply, 'invalid_client')
    const place = await settings.place(request)
    const { deviceCode, userCode } = await authorization.start(client, place)
    const shown = showUserCode(userCode)
    return {
      device_code: deviceCode,
      user_code: shown,
      verification_uri: address,
      verification_uri_complete: `${address}?user_code=${shown}`,
      expires_in: Math.floor(settings.expiresIn / 1_000),
      interval: Math.ceil(settings.interval / 1_000),
    }
  })

  // RFC 8628, section 3.4.
  routes.post('/device/token', options, async (request, reply) => {
    const { grant_type: grant, device_code: code, client_id: client } = fieldsOf(request.body)
    if (grant === undefined || (grant === grantType && code === undefined))
      return fail(reply, 'invalid_request')
    if (grant !== grantType) return fail(reply, 'unsupported_grant_type')
    // RFC 8628, section 3.4: required of a client that is not authenticated in another way.
    if (settings.clients !== null && client === undefined) return fail(reply, 'invalid_client')
    const outcome = await authorization.redeem(String(code), client)
    if (typeof outcome === 'string') return fail(reply, outcome)
    const { session, token } = outcome
    return { access_token: token, token_type: 'Bearer', expires_in: Math.floor(lifetimeOf(session) / 1_000) }
  })
}

/** `GET` and `POST /device`: where a signed-in user types the code, sees who asks, and decides. */
export function devicePageRoutes(
  routes: FastifyInstance,
  { origin, prefix, signInPage, clock, texts }: OAuthSettings,
  { authorization, settings }: DeviceParts,
): void {
  const action = `${prefix}/device`
  const parts = { action, texts, devicesPage: settings.devicesPage }
  const attempts = new Attempts(clock, settings.maxAttempts)

  /** An old session, such as a stolen one, must not make itself a new one. */
  const mayAllow = ({ createdAt, authenticatedAt }: Session): boolean =>
    settings.approvalMaxAge === null ||
    // A sign-in at a provider where the user had signed in before counts: else it would be asked for again and again.
    [createdAt, authenticatedAt].some((at) => isRecent(at, clock.now(), settings.approvalMaxAge as number))

  routes.get<{ Querystring: { user_code?: unknown } }>(
    '/device',
    { exposeHeadRoute: false },
    async (request, reply) => {
      const session = sessionOf(request)
      if (session === null || !mayAllow(session))
        return reply.redirect(signInUrl(signInPage as string, request.originalUrl), 303)
      const { user_code: given } = request.query
      const code = typeof given === 'string' ? normaliseUserCode(given) : null
      return sendForm(reply, codePage(parts, code === null ? '' : showUserCode(code), null))
    },
  )

  routes.post('/device', async (request, reply) => {
    routes[internals].refuseCrossOrigin(request, [origin])
    const session = request.requireSession()
    const { userId } = session
    // A token that a program presents, a device's above all, must not stand for its user at the page.
    if (request[verifiedBy] === null || !isAmbient(request[verifiedBy])) {
      throw new GoseshError('GOSESH_ERR_OAUTH_REFUSED', {
        message: 'Allow the device in the browser in which you signed in',
      })
    }
    const { user_code: typed = '', decision, device = '' } = fieldsOf(request.body)
    if (decision === 'undo') {
      return sendForm(reply, undonePage(parts, await authorization.undo(device, userId)))
    }
    if (!mayAllow(session)) return reply.redirect(signInUrl(signInPage as string, action), 303)
    const content = await attempts.make(userId, async () => {
      const code = normaliseUserCode(typed)
      return code === null ? null : await answer(code, decision, request)
    })
    if (content !== null) return sendForm(reply, content)
    const message = messageFor(new GoseshError('GOSESH_ERR_OAUTH_USER_CODE'), texts)
    return sendForm(reply.code(400), codePage(parts, typed.slice(0, 20), message))
  })

  /** With `no-referrer`, a browser sends `Origin: null` with a form of the page, as one of another origin. */
  async function sendForm(reply: FastifyReply, content: DevicePage): Promise<FastifyReply> {
    reply.header('referrer-policy', 'same-origin')
    if (settings.page === undefined)
      return sendPage(reply, page(texts.language, content.title, new Html(content.body)))
    return sendOwnPage(reply, await settings.page(content, reply.request))
  }

  /** The next page; `null` if nothing waits for the code. */
  async function answer(
    code: string,
    decision: string | undefined,
    request: FastifyRequest,
  ): Promise<DevicePage | null> {
    const found = await authorization.find(code)
    if (found === null) return null
    if (decision === 'allow') {
      return (await authorization.decide(code, request.requireSession()))
        ? allowedPage(parts, found.id)
        : null
    }
    if (decision === 'deny') return (await authorization.decide(code, null)) ? deniedPage(parts) : null
    const client = found.metadata?.[clientKey] ?? null
    return confirmPage(parts, {
      userCode: code,
      client: client === null ? null : (settings.clients?.[client] ?? client),
      account: await settings.account(request),
      age: clock.now() - found.createdAt.getTime(),
      place: found.metadata?.[placeKey] ?? null,
      browserPlace: await settings.place(request),
    })
  }
}
