import cookie from '@fastify/cookie'
import type { FastifyInstance, FastifyPluginAsync } from 'fastify'
import fp from 'fastify-plugin'
import '../../types/fastify.js'
import type { GoseshOptions } from '../../types/options.js'
import { GoseshError } from '../core/errors.js'
import { internals, sessionOf } from '../core/internals.js'
import { fromCache, verifiedBy } from '../core/verified-by.js'
import { effectivePolicy, parseOptions } from '../options/options.js'
import { createServices } from '../session/services.js'
import { Sessions } from '../session/sessions.js'
import { Challenges } from './challenges.js'
import { Lifecycle } from './lifecycle.js'
import { RequestGuard } from './on-request.js'
import { addCacheHeaders, noteRefusal, refused } from './on-send.js'
import { crossOriginError, isCrossOrigin, OriginCheck } from './origin-check.js'
import { ReplySigner } from './reply.js'
import { replyState } from './reply-state.js'
import { RequestData } from './request-data.js'
import { replyTo, requestState } from './request-state.js'
import { RouteOptionsParser } from './route-options.js'
import { Visitors } from './visitors.js'
import { RequestWholeData } from './whole-data.js'

async function registerSessions(app: FastifyInstance, options: GoseshOptions): Promise<void> {
  if (app.hasDecorator('gosesh')) throw new GoseshError('GOSESH_ERR_REGISTERED_TWICE')
  const settings = parseOptions(options, app)
  const usesCookies = settings.credentials.some((credential) => credential.header.toLowerCase() === 'cookie')
  if (usesCookies && !app.hasPlugin('@fastify/cookie')) await app.register(cookie)

  const lifecycle = new Lifecycle(app, settings)
  const { events, caching } = lifecycle
  const cache = caching !== null && caching.settings.maxSessions > 0 ? caching.cache : null
  const services = createServices(lifecycle, events, cache, caching?.elsewhere ?? null)
  const challenges = new Challenges(settings.credentials)
  const originCheck = new OriginCheck(settings)
  const visitors =
    settings.visitors === null ? null : new Visitors(settings.visitors, lifecycle, services, originCheck)
  const data = new RequestData(lifecycle, settings, services, challenges, visitors)
  const { deviceBinding } = settings
  const devices =
    deviceBinding === null
      ? null
      : await (await import('./device-binding.js')).bindDevices(
          app,
          settings,
          deviceBinding,
          lifecycle,
          services,
        )
  const sessions = new Sessions(
    lifecycle,
    services,
    effectivePolicy(settings, () => lifecycle.sweepInterval),
    (id) => data.ofSession(id),
    devices === null,
  )
  const routes = new RouteOptionsParser(settings.requireByDefault, devices !== null)
  const guard = new RequestGuard(settings, services, sessions, originCheck, routes, challenges, devices)
  const signer = new ReplySigner(settings, services, originCheck, challenges, visitors, devices)

  app.decorate('gosesh', sessions)
  app.decorate(internals, {
    decorateAs: settings.decorateAs,
    wholeData: visitors && new RequestWholeData(data, visitors, signer),
    credentials: settings.credentials,
    get store() {
      return lifecycle.context.store
    },
    createSession: (userId, createOptions, confirm) =>
      events.signIn({ userId, credential: null, address: null, userAgent: null }, {}, () =>
        services.creator.create(userId, createOptions, { deliver: confirm }),
      ),
    refuseCrossOrigin(request, origins) {
      if (isCrossOrigin(request, new Set(origins)))
        throw crossOriginError(request, sessionOf(request), events)
    },
  })
  app.decorate('requireSession', async (request) => void request.requireSession())
  app.decorate('requireRecentSignIn', (maxAge) => guard.requireRecentSignIn(maxAge))
  app.decorateRequest(settings.decorateAs, null)
  app.decorateRequest(verifiedBy, null)
  app.decorateRequest(requestState, null)
  if (visitors !== null) app.decorateRequest(replyTo, null)
  if (cache !== null) app.decorateRequest(fromCache, false)
  app.decorateRequest('requireSession', function () {
    return guard.requireSession(this)
  })
  app.decorateRequest('sessionData', {
    getter() {
      return data.of(this)
    },
  })
  app.decorateReply(replyState, null)
  app.decorateReply(refused, false)
  app.decorateReply('signIn', function (userId, signInOptions) {
    return signer.signIn(this, userId, signInOptions)
  })
  app.decorateReply('reauthenticate', function (reauthenticateOptions) {
    return signer.reauthenticate(this, reauthenticateOptions)
  })
  app.decorateReply('signOut', function (signOutOptions) {
    return signer.signOut(this, signOutOptions)
  })

  app.addHook('onRoute', (route) => void routes.parse(route.config?.session))
  if (visitors !== null) app.addHook('onRequest', visitors.onRequest)
  app.addHook('onRequest', guard.onRequest)
  app.addHook('onError', noteRefusal)
  app.addHook('onSend', addCacheHeaders)
  app.addHook('onReady', () => lifecycle.start(app))
  app.addHook('onClose', async () => {
    await Promise.all([lifecycle.stop(), services.deleter.stop(), services.updater.stop()])
  })
}

export const plugin: FastifyPluginAsync<GoseshOptions> = fp(registerSessions, {
  name: 'gosesh',
  fastify: '5.x',
})
