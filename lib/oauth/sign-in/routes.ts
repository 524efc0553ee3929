import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { GoseshError } from '../../core/errors.js'
import { isLoopback } from '../../core/validation.js'
import { fieldsOf } from '../form.js'
import type { OAuthSettings } from '../options.js'
import { pageAfterSignIn, rememberReturn } from '../pages/pages.js'
import { answersByPost, type ProviderClient } from '../providers/client.js'
import { identify } from '../providers/identity.js'
import { TransactionCookies } from './transaction.js'

const movedFrom = 'moved_from'

/**
 * Where to begin instead, if the browser calls this machine by another name than `origin` does: the cookie of the sign-in
 * would stay there. Other hosts are not looked at, as a proxy may rewrite them; one that rewrites this one is seen by the
 * parameter.
 */
function beginAtOrigin(
  path: string,
  { hostname, query }: FastifyRequest,
  { origin, prefix }: OAuthSettings,
): string | null {
  const { hostname: own } = new URL(origin)
  const given = query as Readonly<Record<string, unknown>>
  const isMoved = given[movedFrom] !== undefined
  if (isMoved || hostname === own || !isLoopback(hostname) || !isLoopback(own)) return null
  const { next } = given
  const parameters = { ...(typeof next === 'string' && { next }), [movedFrom]: hostname }
  return `${origin}${prefix}/${path}?${new URLSearchParams(parameters)}`
}

/** The redirect to the provider and the callback from it. */
class SignInFlow {
  readonly #app: FastifyInstance
  readonly #settings: OAuthSettings
  readonly #cookies: TransactionCookies

  constructor(app: FastifyInstance, settings: OAuthSettings) {
    const { cookie, transactionTimeout: timeout, clock } = settings
    this.#app = app
    this.#settings = settings
    this.#cookies = new TransactionCookies({ ...cookie, timeout, clock })
  }

  async begin(client: ProviderClient, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const elsewhere = beginAtOrigin(client.name, request, this.#settings)
    if (elsewhere !== null) return reply.redirect(elsewhere, 303)
    const { next } = request.query as { next?: unknown }
    const secrets = client.newSecrets()
    const url = await client.authorizationUrl(secrets)
    const transaction = {
      ...secrets,
      provider: client.name,
      returnTo: pageAfterSignIn(next, this.#settings),
      startedAt: this.#settings.clock.now(),
    }
    this.#cookies.begin(request, reply, transaction, answersByPost(client.provider))
    return reply.redirect(url.href, 303)
  }

  async finish(
    client: ProviderClient,
    answer: URLSearchParams,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<FastifyReply> {
    const transaction = this.#cookies.take(request, reply, answer.get('state'))
    // A callback that is loaded again by who has signed in by it: it is done.
    if (transaction === null && answer.has('state') && request.session !== null) {
      return reply.redirect(pageAfterSignIn(undefined, this.#settings), 303)
    }
    if (transaction?.provider !== client.name) throw new GoseshError('GOSESH_ERR_OAUTH_TRANSACTION')
    rememberReturn(request, transaction.returnTo)
    const signIn = await client.finish(answer, transaction)
    const { userId, metadata } = await identify(signIn, request, this.#settings, this.#app)
    // The transaction shows that this browser began the sign-in here.
    await reply.signIn(userId, { metadata, allowCrossOrigin: true })
    // The cookie is the browser's: so its target is checked again.
    return reply.redirect(pageAfterSignIn(transaction.returnTo, this.#settings), 303)
  }
}

/**
 * Answers 404. Fastify would log the address of a route that there is not, whole, and with it a code.
 */
function refuse(routes: FastifyInstance, method: ('GET' | 'HEAD')[], url: string): void {
  // `hide` keeps it out of the documents of @fastify/swagger.
  const schema: object = { hide: true }
  const handler = async (): Promise<never> => {
    throw new GoseshError('GOSESH_ERR_OAUTH_REQUEST', { statusCode: 404 })
  }
  routes.route({ method, url, exposeHeadRoute: false, config: { session: false }, schema, handler })
}

/** Refuses what is like a callback, and is none. */
function refuseNearCallback(routes: FastifyInstance, path: string, byPost: boolean): void {
  refuse(routes, byPost ? ['GET', 'HEAD'] : ['HEAD'], path)
  const { ignoreTrailingSlash, routerOptions } = routes.initialConfig
  if (ignoreTrailingSlash || routerOptions?.ignoreTrailingSlash) return
  refuse(routes, ['GET', 'HEAD'], `${path}/`)
}

/** `GET /:provider` and its callback. */
export function signInRoutes(
  routes: FastifyInstance,
  settings: OAuthSettings,
  clients: readonly ProviderClient[],
): void {
  const flow = new SignInFlow(routes, settings)
  // A HEAD must not use up a code.
  const safe = { exposeHeadRoute: false }
  for (const client of clients) {
    routes.get(`/${client.name}`, { ...safe, config: { session: false } }, (request, reply) =>
      flow.begin(client, request, reply),
    )
    const path = `/${client.name}/callback`
    const byPost = answersByPost(client.provider)
    refuseNearCallback(routes, path, byPost)
    if (byPost) {
      routes.post(path, { config: { session: false } }, (request, reply) =>
        flow.finish(client, new URLSearchParams(fieldsOf(request.body)), request, reply),
      )
    } else {
      // With its session, so that `onSignIn` can join a further account to the user who is signed in.
      routes.get(path, safe, (request, reply) =>
        flow.finish(client, new URL(request.url, settings.origin).searchParams, request, reply),
      )
    }
  }
}
