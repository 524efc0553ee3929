import cookie from '@fastify/cookie'
import type { FastifyInstance, FastifyPluginAsync } from 'fastify'
import fp from 'fastify-plugin'
import '../../types/fastify.js'
import type { GoseshOptions } from '../../types/options.js'
import { GoseshError } from '../core/errors.js'
import { internals } from '../core/internals.js'
import { verifiedBy } from '../core/verified-by.js'
import { effectivePolicy } from '../options/effective-policy.js'
import { parseOptions } from '../options/options.js'
import { SessionEnder } from '../session/ender.js'
import { Manager } from '../session/manager.js'
import { storeCalls } from '../session/runtime.js'
import { SessionStarter } from '../session/starter.js'
import { Verifier } from '../session/verifier.js'
import { Lifecycle } from './lifecycle.js'
import { RequestGuard } from './on-request.js'
import { addCacheHeaders, noteRefusal, refused } from './on-send.js'
import { CrossOriginPolicy, crossOriginError, isCrossOrigin } from './origin-check.js'
import { ReplySigner, replyState } from './reply.js'
import { RoutePolicies } from './route-options.js'

async function registerSessions(app: FastifyInstance, options: GoseshOptions): Promise<void> {
  if (app.hasDecorator('gosesh')) throw new GoseshError('GOSESH_ERR_REGISTERED_TWICE')
  const settings = parseOptions(options, app)
  const { credentials, clock, bindSessionToLog, clearSiteData } = settings
  const usesCookies = credentials.some((credential) => credential.header.toLowerCase() === 'cookie')
  if (usesCookies && !app.hasPlugin('@fastify/cookie')) await app.register(cookie)

  const lifecycle = new Lifecycle(app, settings)
  const { runtime } = lifecycle
  const { events } = runtime
  const crossOrigin = new CrossOriginPolicy(settings)
  const verifier = new Verifier(runtime)
  const ender = new SessionEnder(runtime)
  const starter = new SessionStarter(runtime, ender)
  const policy = effectivePolicy(settings, () => lifecycle.sweepInterval)
  const manager = new Manager(runtime, { verifier, starter, ender }, policy)
  const routePolicies = new RoutePolicies(settings.requireByDefault)
  const guard = new RequestGuard({
    routePolicies,
    manager,
    credentials,
    verifier,
    clock,
    events,
    crossOrigin,
    bindSessionToLog,
  })
  const signer = new ReplySigner({ manager, credentials, starter, ender, events, crossOrigin, clearSiteData })

  app.decorate('gosesh', manager)
  app.decorate(internals, {
    callStore: (method, call) => storeCalls(runtime).run(method, call),
    createSession: (userId, createOptions, confirm) =>
      events.ofSignIn({ userId, credential: null }, {}, () =>
        starter.start(userId, createOptions, { deliver: confirm }),
      ),
    refuseCrossOrigin(request, origins) {
      if (isCrossOrigin(request, new Set(origins))) throw crossOriginError(request, request.session, events)
    },
  })
  app.decorate('requireSession', async (request) => void request.requireSession())
  app.decorate('requireRecentSignIn', (maxAge) => guard.requireRecentSignIn(maxAge))
  app.decorateRequest('session', null)
  app.decorateRequest(verifiedBy, null)
  app.decorateRequest('requireSession', function () {
    return guard.requireSession(this)
  })
  app.decorateReply(replyState, null)
  app.decorateReply(refused, false)
  app.decorateReply('signIn', function (userId, signInOptions) {
    return signer.signIn(this, userId, signInOptions)
  })
  app.decorateReply('signOut', function (signOutOptions) {
    return signer.signOut(this, signOutOptions)
  })

  app.addHook('onRoute', (route) => void routePolicies.of(route.config?.session))
  app.addHook('onRequest', guard.onRequest)
  app.addHook('onError', noteRefusal)
  app.addHook('onSend', addCacheHeaders)
  app.addHook('onReady', () => lifecycle.start(app))
  app.addHook('onClose', async () => void (await Promise.all([lifecycle.stop(), ender.stop()])))
}

export const plugin: FastifyPluginAsync<GoseshOptions> = fp(registerSessions, {
  name: 'gosesh',
  fastify: '5.x',
})
