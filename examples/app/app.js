// @ts-check
import { randomBytes } from 'node:crypto'
import formbody from '@fastify/formbody'
import helmet from '@fastify/helmet'
import rateLimit from '@fastify/rate-limit'
import websocket from '@fastify/websocket'
import Fastify from 'fastify'
import gosesh, { bearerCredential, cookieCredential } from 'gosesh'
import { oauth, oidc } from 'gosesh/oauth'
import { sockets } from '../recipes/websocket.js'
import { describePlace, deviceClients, deviceMetadata } from './devices.js'
import { drainOnClose } from './drain.js'
import { watchEnds } from './ended-by.js'
import { accountName } from './profiles.js'
import { apiRoutes } from './routes/api.js'
import { confirmRoutes } from './routes/confirm.js'
import { handleErrors } from './routes/errors.js'
import { exportRoutes } from './routes/export.js'
import { noteRoutes } from './routes/note.js'
import { pageRoutes } from './routes/pages.js'
import { profileRoutes } from './routes/profile.js'
import { publicRoutes } from './routes/public.js'
import { secondFactorRoutes } from './routes/second-factor.js'
import { sessionRoutes } from './routes/sessions.js'
import { securityHeaders } from './security-headers.js'
import { viewerOf } from './viewer.js'
import { devicePage } from './views/device.js'
import { signInErrorPage } from './views/notices.js'

const minute = 60_000

/** @typedef {Awaited<ReturnType<typeof import('./database.js').openDatabase>>} SqliteDatabase */

/** @typedef {Omit<SqliteDatabase, 'store'> & { store: import('gosesh').SessionStore }} Database With any store. */

/**
 * @typedef {object} AppOptions
 * @property {string} origin Where browsers reach the application, such as `http://localhost:3000`.
 * @property {Omit<import('./config.js').ProviderConfig, 'localPort'>} provider
 * @property {Database} database Closed with the application.
 * @property {{ key: Buffer, cert: Buffer }} [https] Default: plain http, on this machine or behind a proxy that ends TLS.
 * @property {import('fastify').FastifyServerOptions['logger']} [logger] Default: none.
 * @property {number} [recentSignIn] How long ago a sign-in may be for what is sensitive. Default: 5 minutes.
 * @property {number} [devicePollInterval] Between two polls of a device. Default: 5 seconds.
 * @property {number} [requestsPerMinute] From one address. Default: 600.
 * @property {import('gosesh').Clock} [clock] Default: `Date`.
 */

/**
 * Over plain http, which is for trying on this machine, cookies are not `Secure`: Safari would not send them to
 * localhost. Over https they have gosesh's own defaults, `__Host-session` and `Secure`.
 *
 * @param {string} origin
 */
function cookies(origin) {
  if (origin.startsWith('https:')) return { session: {}, visitor: {}, signIn: {} }
  return {
    session: { name: 'gosesh-example', secure: false },
    visitor: { name: 'gosesh-example-visitor', secure: false },
    signIn: { name: 'gosesh-example-sign-in', secure: false },
  }
}

/** @param {import('gosesh').SessionStore & Partial<import('gosesh').RevocationLog>} store */
function hasRevocationLog(store) {
  return store.readRevocations !== undefined
}

/** @param {AppOptions['provider']} provider */
function openIdProvider({ issuer, clientId, clientSecret }) {
  return oidc({
    issuer,
    clientId,
    clientSecret,
    userInfo: true,
    // The provider asks anew each time: a silent sign-in would count from when its user was really there.
    authorizationParameters: { prompt: 'login' },
    dangerouslyAllowInsecureIssuer: issuer.startsWith('http://127.0.0.1:'),
  })
}

/**
 * The application, not yet listening. Read it from top to bottom: each line is a part of it.
 *
 * @param {AppOptions} options
 */
export async function buildApp({
  origin,
  provider,
  database: { store, profiles, notes, secondFactors, close },
  https,
  logger = false,
  recentSignIn = 5 * minute,
  devicePollInterval = 5_000,
  requestsPerMinute = 600,
  clock = Date,
}) {
  const app = /** @type {import('fastify').FastifyInstance} */ (Fastify({ logger, https: https ?? null }))
  const cookie = cookies(origin)
  // Browsers bind sessions over https alone. A secret that a restart changes has them refresh their proofs once.
  const deviceBinding = origin.startsWith('https:') && { secret: randomBytes(32) }

  drainOnClose(app)
  // Before the routes that it watches.
  const endedBy = watchEnds(app)
  // Before gosesh is registered, because hooks of this kind run in reverse order: the last flush comes first.
  app.addHook('onClose', async () => close())
  handleErrors(app, { profiles, provider, recentSignIn, clock })
  await app.register(helmet, securityHeaders(origin, provider.issuer))
  // A browser drops its key if a refresh is answered with 429.
  const allowList = (/** @type {import('fastify').FastifyRequest} */ { url }) =>
    url.startsWith('/auth/device-key')
  await app.register(rateLimit, { max: requestsPerMinute, timeWindow: minute, allowList })
  await app.register(formbody)
  // Before gosesh, so that it closes the connection of an upgrade that gosesh refuses.
  await app.register(websocket)
  await app.register(gosesh, {
    store,
    // A stale cookie would shadow a valid bearer token, so bearer comes first.
    credentials: [bearerCredential(), cookieCredential(cookie.session)],
    activityTracking: {},
    // With a server for a store there may be other processes: their sign-outs close the live pages of this one.
    sessionCache: hasRevocationLog(store) ? {} : false,
    // A note may be written before anybody has signed in.
    visitors: { cookie: cookie.visitor },
    deviceBinding,
    clock,
  })
  await app.register(oauth, {
    origin,
    providers: { [provider.name]: openIdProvider(provider) },
    signInPage: '/',
    defaultPage: '/account',
    signOutPage: '/signed-out',
    metadata: deviceMetadata,
    deviceAuthorization: {
      clients: deviceClients,
      interval: devicePollInterval,
      account: (request) => accountName(profiles.get(request.requireSession().userId)),
      place: describePlace,
      devicesPage: '/account',
      page: (content, request) => devicePage({ ...content, user: viewerOf(profiles, request) }).toString(),
    },
    backchannelLogout: true,
    errorPage: (error, request, { returnTo }) =>
      signInErrorPage(error, { user: viewerOf(profiles, request), returnTo }).toString(),
    cookie: cookie.signIn,
    clock,
    async onSignIn({ provider, subject, profile }) {
      const userId = await app.gosesh.upsertUser(`${provider}|${subject}`)
      const { name, email } = profile
      profiles.remember(userId, {
        name: typeof name === 'string' ? name : subject,
        email: typeof email === 'string' ? email : null,
      })
      // What a visitor typed, and nothing else that this browser may have from somebody else.
      return { userId, carry: ['draft'] }
    },
  })
  app.register(sockets, { closeReason: endedBy })
  app.register(publicRoutes)
  app.register(pageRoutes, { profiles, notes, provider, origin, clock })
  if (deviceBinding) app.register(exportRoutes, { profiles, notes })
  app.register(noteRoutes, { profiles, notes })
  app.register(sessionRoutes, { profiles })
  app.register(confirmRoutes, { profiles, provider })
  app.register(profileRoutes, { profiles, recentSignIn })
  app.register(secondFactorRoutes, { profiles, secondFactors, recentSignIn, clock })
  app.register(apiRoutes, { prefix: '/api', profiles })
  return app
}
