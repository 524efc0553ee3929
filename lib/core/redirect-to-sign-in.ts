import type {
  RedirectToSignInHook,
  RedirectToSignInOptions,
  RequestForSignIn,
} from '../../types/return-to.js'
import { requireSession } from './require-session.js'
import { checkObject, checkPath, checkText } from './validation.js'

/** A browser that has lost its key gets on with a new sign-in, too. */
const signInHelps: readonly unknown[] = ['GOSESH_ERR_UNAUTHENTICATED', 'GOSESH_ERR_DEVICE_PROOF']

/** True if a browser asked for a page to show, rather than a script or a program for data. */
function isNavigation({ method, headers }: RequestForSignIn): boolean {
  if (method !== 'GET' && method !== 'HEAD') return false
  const mode = headers['sec-fetch-mode']
  return mode === undefined ? String(headers.accept ?? '').includes('text/html') : mode === 'navigate'
}

/** `path` with the page to come back to. */
export function signInUrl(path: string, next: string, parameter = 'next'): string {
  return `${path}${path.includes('?') ? '&' : '?'}${new URLSearchParams({ [parameter]: next })}`
}

/**
 * Makes a hook that sends a browser's page navigation without a session to `page`, with `?next=` the page that was asked
 * for, which the sign-in gives to `returnTo`. Anything else without a session is answered 401
 * `GOSESH_ERR_UNAUTHENTICATED`. It fails closed: if gosesh is not registered in the context of the route it answers 500
 * `GOSESH_ERR_NOT_REGISTERED`. Throws `GOSESH_ERR_OPTION`.
 */
export function redirectToSignIn(page: string, options: RedirectToSignInOptions = {}): RedirectToSignInHook {
  checkObject('redirectToSignIn', options, ['parameter'])
  const path = checkPath('redirectToSignIn', page)
  const parameter = checkText('parameter', options.parameter ?? 'next', 'a name', /^[\w.-]+$/)
  return async (request, reply) => {
    const refusal = await requireSession(request).then(
      () => null,
      (error) => error,
    )
    if (refusal === null) return
    // Without gosesh there is nothing to sign in to, whatever session another plugin has.
    if (!signInHelps.includes(refusal.code) || !isNavigation(request)) throw refusal
    reply.header('cache-control', 'no-store')
    return reply.redirect(signInUrl(path, request.originalUrl, parameter), 303)
  }
}
