import type { FastifyReply, FastifyRequest } from 'fastify'
import { optionError } from '../check.js'
import { checkPath } from './check-options.js'
import type { OAuthSettings } from './settings.js'

/** Whether a browser asked for a page to show, rather than a script or a program for data. */
function isNavigation({ method, headers }: FastifyRequest): boolean {
  if (method !== 'GET') return false
  const mode = headers['sec-fetch-mode']
  return mode === undefined ? (headers.accept ?? '').includes('text/html') : mode === 'navigate'
}

/** `path` with the page to come back to. */
export function signInUrl(path: string, next: string): string {
  return `${path}${path.includes('?') ? '&' : '?'}${new URLSearchParams({ next })}`
}

/** The hook of `app.redirectToSignIn(url)`; throws `GOSESH_ERR_OPTION`. */
export function redirectToSignIn(
  url: string | undefined,
  { signInPage }: Pick<OAuthSettings, 'signInPage'>,
): (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply | undefined> {
  const given = url ?? signInPage
  if (given === null) throw optionError('redirectToSignIn', url, 'a path, as there are several providers')
  const path = checkPath('redirectToSignIn', given)
  return async (request, reply) => {
    if (request.session !== null) return undefined
    if (!isNavigation(request)) request.requireSession()
    return reply.header('cache-control', 'no-store').redirect(signInUrl(path, request.originalUrl), 303)
  }
}
