import type { FastifyReply, FastifyRequest } from 'fastify'
import type { GoseshErrorCode } from '../../../types/errors.js'
import type { OAuthTexts } from '../../../types/oauth.js'
import { type GoseshError, isGoseshError } from '../../core/errors.js'
import { signInUrl } from '../../core/redirect-to-sign-in.js'
import { returnTo } from '../../core/return-to.js'
import type { OAuthSettings } from '../options.js'
import { contentSecurityPolicy, html, page } from './html.js'

const forUsers: readonly GoseshErrorCode[] = [
  'GOSESH_ERR_CROSS_ORIGIN',
  'GOSESH_ERR_TOO_MANY_SESSIONS',
  'GOSESH_ERR_UNAUTHENTICATED',
]

const ofDevices: readonly GoseshErrorCode[] = [
  'GOSESH_ERR_OAUTH_TOO_MANY_ATTEMPTS',
  'GOSESH_ERR_OAUTH_USER_CODE',
]

/** The page that was asked for before the sign-in of this request. */
const askedFor = new WeakMap<FastifyRequest, string>()

/** If the sign-in of this request fails, its page leads back to `next`. */
export function rememberReturn(request: FastifyRequest, next: string): void {
  askedFor.set(request, next)
}

/** Where a browser goes after sign-in: to `next` if it may, else to the default page. Always an absolute URL. */
export function pageAfterSignIn(
  next: unknown,
  { origin, allowedReturnOrigins: allowedOrigins, defaultPage: fallback }: OAuthSettings,
): string {
  return returnTo(next, { origin, allowedOrigins, fallback })
}

/** What a user may read of an error: messages of others say what is inside. */
export function messageFor({ code, statusCode, message }: GoseshError, texts: OAuthTexts): string {
  const isOfSignIn = code.startsWith('GOSESH_ERR_OAUTH_') && statusCode !== 500
  if (isOfSignIn || forUsers.includes(code)) return texts.errors[code] ?? message
  return statusCode === 503 ? texts.unavailable : texts.unknownProblem
}

/** `url` as a path if it is on the own origin. */
function asPath(url: string, origin: string): string {
  return url.startsWith(`${origin}/`) ? url.slice(origin.length) : url
}

/** Where the page for an error leads, and what it is called. */
function describe(
  { code }: GoseshError,
  next: string,
  { origin, prefix, signInPage, defaultPage, texts }: OAuthSettings,
): { title: string; url: string; link: string } {
  const { signInCancelled, signInFailed, deviceFailed, goBack, tryAgain } = texts
  if (code === 'GOSESH_ERR_OAUTH_ACCESS_DENIED') return { title: signInCancelled, url: next, link: goBack }
  if (ofDevices.includes(code)) return { title: deviceFailed, url: `${prefix}/device`, link: tryAgain }
  const start = signInPage ?? defaultPage
  const known = next !== new URL(defaultPage, origin).href
  const url = known && signInPage !== null ? signInUrl(start, asPath(next, origin)) : start
  return { title: signInFailed, url, link: tryAgain }
}

function errorPage(error: GoseshError, next: string, settings: OAuthSettings): string {
  const { texts } = settings
  const { title, url, link } = describe(error, next, settings)
  // To cancel is no failure that somebody would look up.
  const isCancelled = error.code === 'GOSESH_ERR_OAUTH_ACCESS_DENIED'
  const code = isCancelled ? html`` : html`\n<p><small>${error.code}</small></p>`
  const body = html`<p>${messageFor(error, texts)}</p>
<p><a href="${url}">${link}</a></p>${code}`
  return page(texts.language, title, body)
}

export function sendPage(reply: FastifyReply, html: string): FastifyReply {
  return reply
    .type('text/html; charset=utf-8')
    .header('content-security-policy', contentSecurityPolicy)
    .header('x-frame-options', 'DENY')
    .header('x-content-type-options', 'nosniff')
    .send(html)
}

/** A page of the application's own look. Whatever it allows itself, no other page may frame it. */
export function sendOwnPage(reply: FastifyReply, html: string): FastifyReply {
  if (!reply.hasHeader('content-security-policy')) {
    reply.header('content-security-policy', "frame-ancestors 'none'; base-uri 'none'")
  }
  return reply.type('text/html; charset=utf-8').header('x-frame-options', 'DENY').send(html)
}

/** The error handler of the routes that a browser opens: a page for what gosesh knows, the application's own for the rest. */
export function pageErrorHandler(
  settings: OAuthSettings,
): (error: unknown, request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply> {
  return async (error, request, reply) => {
    if (!isGoseshError(error)) throw error
    const { statusCode, code } = error
    request.log[statusCode >= 500 ? 'error' : 'info']({ err: error, code }, 'sign-in did not succeed')
    reply.code(statusCode).headers(error.headers ?? {})
    // What was kept of the sign-in is the browser's: so its target is checked again.
    const next = pageAfterSignIn(askedFor.get(request), settings)
    if (settings.errorPage === undefined) return sendPage(reply, errorPage(error, next, settings))
    try {
      const own = await settings.errorPage(error, request, { returnTo: next })
      return reply.type('text/html; charset=utf-8').send(own)
    } catch (failure) {
      request.log.error({ err: failure }, 'errorPage failed')
      return sendPage(reply, errorPage(error, next, settings))
    }
  }
}
