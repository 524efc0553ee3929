import type { FastifyReply, FastifyRequest } from 'fastify'
import { type GoseshError, type GoseshErrorCode, isGoseshError } from '../errors.js'
import { contentSecurityPolicy, escapeHtml, page } from './html.js'
import type { OAuthSettings } from './settings.js'

const forUsers: readonly GoseshErrorCode[] = [
  'GOSESH_ERR_CROSS_ORIGIN',
  'GOSESH_ERR_TOO_MANY_SESSIONS',
  'GOSESH_ERR_UNAUTHENTICATED',
]

/** Messages of other errors say what is inside. */
function messageFor({ code, statusCode, message }: GoseshError): string {
  const isOfSignIn = code.startsWith('GOSESH_ERR_OAUTH_') && statusCode !== 500
  if (isOfSignIn || forUsers.includes(code)) return message
  return statusCode === 503 ? 'Sign-in is unavailable; try again in a moment' : 'Something went wrong'
}

function errorPage(error: GoseshError, { signInPage, defaultPage }: OAuthSettings): string {
  return page(
    'Sign-in did not succeed',
    `<p>${escapeHtml(messageFor(error))}</p>
<p><a href="${escapeHtml(signInPage ?? defaultPage)}">Try again</a></p>
<p><small>${error.code}</small></p>`,
  )
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
    if (settings.errorPage === undefined) return sendPage(reply, errorPage(error, settings))
    try {
      return reply.type('text/html; charset=utf-8').send(await settings.errorPage(error, request))
    } catch (failure) {
      request.log.error({ err: failure }, 'errorPage failed')
      return sendPage(reply, errorPage(error, settings))
    }
  }
}
