import type { FastifyInstance } from 'fastify'
import { GoseshError } from '../../core/errors.js'
import { fieldsOf } from '../form.js'
import type { OAuthSettings } from '../options.js'
import { answersByPost, type ProviderClient } from '../providers/client.js'
import type { SignInFlow } from './flow.js'

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
  { origin }: Pick<OAuthSettings, 'origin'>,
  clients: readonly ProviderClient[],
  flow: SignInFlow,
): void {
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
        flow.finish(client, new URL(request.url, origin).searchParams, request, reply),
      )
    }
  }
}
