import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { OAuthSignIn, RedirectToProviderOptions } from '../../../types/oauth.js'
import { GoseshError } from '../../core/errors.js'
import { sessionOf } from '../../core/internals.js'
import { isLoopback } from '../../core/validation.js'
import type { OAuthSettings } from '../options.js'
import { pageAfterSignIn, rememberReturn } from '../pages/pages.js'
import { answersByPost, type ProviderClient } from '../providers/client.js'
import { confirm, identify } from '../providers/identity.js'
import { type AuthorizationRequest, parseRedirect, plainRequest } from './authorization-request.js'
import { type Transaction, TransactionCookies } from './transaction.js'

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
export class SignInFlow {
  readonly #app: FastifyInstance
  readonly #settings: OAuthSettings
  readonly #cookies: TransactionCookies

  constructor(app: FastifyInstance, settings: OAuthSettings) {
    const { cookie, transactionTimeout: timeout, clock } = settings
    this.#app = app
    this.#settings = settings
    this.#cookies = new TransactionCookies({ ...cookie, timeout, clock })
  }

  /** `GET /:provider`. */
  async begin(client: ProviderClient, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const elsewhere = beginAtOrigin(client.name, request, this.#settings)
    if (elsewhere !== null) return reply.redirect(elsewhere, 303)
    const { next } = request.query as { next?: unknown }
    return await this.#send(client, plainRequest(client.provider, next), reply)
  }

  /** `reply.redirectToProvider`. */
  async redirect(
    client: ProviderClient,
    options: RedirectToProviderOptions,
    reply: FastifyReply,
  ): Promise<FastifyReply> {
    return await this.#send(client, parseRedirect(client.provider, options, reply.request), reply)
  }

  async #send(
    client: ProviderClient,
    { returnTo, demands, parameters, reauthenticates }: AuthorizationRequest,
    reply: FastifyReply,
  ): Promise<FastifyReply> {
    const secrets = client.newSecrets()
    const url = await client.authorizationUrl(secrets, demands, parameters)
    const transaction: Transaction = {
      ...secrets,
      ...demands,
      provider: client.name,
      returnTo: pageAfterSignIn(returnTo, this.#settings),
      startedAt: this.#settings.clock.now(),
      reauthenticates,
    }
    this.#cookies.begin(reply.request, reply, transaction, answersByPost(client.provider))
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
    if (transaction === null && answer.has('state') && sessionOf(request) !== null) {
      return reply.redirect(pageAfterSignIn(undefined, this.#settings), 303)
    }
    if (transaction?.provider !== client.name) throw new GoseshError('GOSESH_ERR_OAUTH_TRANSACTION')
    rememberReturn(request, transaction.returnTo)
    const signIn = await client.finish(answer, transaction)
    await this.#apply(signIn, transaction, request, reply)
    // The cookie is the browser's: so its target is checked again.
    return reply.redirect(pageAfterSignIn(transaction.returnTo, this.#settings), 303)
  }

  /** Begins a session, or confirms the one that asked for it. The transaction shows that this browser began it here. */
  async #apply(
    signIn: OAuthSignIn,
    { reauthenticates }: Transaction,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<void> {
    if (reauthenticates === null) {
      const identity = await identify(signIn, request, this.#settings, this.#app)
      const { userId, options, browserOptions } = identity
      await reply.signIn(userId, { ...options, ...browserOptions, allowCrossOrigin: true })
      return
    }
    // Signed out meanwhile, or in as somebody else.
    const session = sessionOf(request)
    if (session?.id !== reauthenticates) throw new GoseshError('GOSESH_ERR_OAUTH_TRANSACTION')
    const options = await confirm(signIn, session, request, this.#settings, this.#app)
    await reply.reauthenticate({ ...options, allowCrossOrigin: true })
  }
}
