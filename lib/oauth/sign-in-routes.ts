import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { GoseshError } from '../errors.js'
import { answersByPost, type ProviderClient } from './client.js'
import { fieldsOf } from './form.js'
import { identify } from './identity.js'
import { rememberReturn } from './pages.js'
import { returnTo } from './return-to.js'
import type { OAuthSettings } from './settings.js'
import { TransactionCookies } from './transaction.js'

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
    const { next } = request.query as { next?: unknown }
    const secrets = client.newSecrets()
    const url = await client.authorizationUrl(secrets)
    const transaction = {
      ...secrets,
      provider: client.name,
      returnTo: returnTo(next, this.#settings),
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
    if (transaction?.provider !== client.name) throw new GoseshError('GOSESH_ERR_OAUTH_TRANSACTION')
    rememberReturn(request, transaction.returnTo)
    const signIn = await client.finish(answer, transaction)
    const { userId, metadata } = await identify(signIn, request, this.#settings, this.#app)
    // The transaction shows that this browser began the sign-in here.
    await reply.signIn(userId, { metadata, allowCrossOrigin: true })
    // The cookie is the browser's: where it leads is judged anew.
    return reply.redirect(returnTo(transaction.returnTo, this.#settings), 303)
  }
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
    if (answersByPost(client.provider)) {
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
