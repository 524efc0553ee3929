import type { FastifyRequest } from 'fastify'
import type {
  DeviceAuthorizationOptions,
  OAuthOptions,
  OAuthProvider,
  OAuthTexts,
  TransactionCookieOptions,
} from '../../types/oauth.js'
import type { Clock } from '../../types/options.js'
import {
  checkBoolean,
  checkCookieName,
  checkCount,
  checkDelay,
  checkLifetime,
  checkObject,
  checkOptionalFunction,
  checkOrigin,
  checkPath,
  checkText,
  hasMethods,
  optionError,
} from '../core/validation.js'
import { placeOf } from './device/place.js'
import { parseTexts } from './pages/texts.js'
import { answersByPost } from './providers/client.js'
import { checkTextMap } from './validation.js'

/** Options as the plugin uses them: checked, complete and frozen. */
export interface OAuthSettings {
  readonly origin: string
  readonly providers: readonly (readonly [name: string, provider: OAuthProvider])[]
  /** Where the routes are on the origin, with the prefix of the context around. */
  readonly prefix: string
  readonly defaultPage: string
  readonly signOutPage: string
  /** `null`: not given, and several providers to choose from. */
  readonly signInPage: string | null
  readonly allowedReturnOrigins: readonly string[]
  readonly onSignIn: NonNullable<OAuthOptions['onSignIn']>
  readonly metadata: NonNullable<OAuthOptions['metadata']>
  readonly errorPage: OAuthOptions['errorPage']
  readonly texts: OAuthTexts
  readonly deviceAuthorization: DeviceSettings | null
  readonly backchannelLogout: boolean
  readonly transactionTimeout: number
  readonly providerTimeout: number
  readonly cookie: { readonly name: string; readonly secure: boolean }
  readonly clock: Clock
}

export interface DeviceSettings {
  /** `null`: any client. */
  readonly clients: Readonly<Record<string, string>> | null
  readonly expiresIn: number
  readonly interval: number
  readonly maxAttempts: number
  /** `null`: a sign-in of any age. */
  readonly approvalMaxAge: number | null
  readonly account: NonNullable<DeviceAuthorizationOptions['account']>
  /** Resolves with a text that can be kept and shown. */
  readonly place: (request: FastifyRequest) => Promise<string | null>
  readonly devicesPage: string | null
  readonly page: DeviceAuthorizationOptions['page']
}

const known: readonly (keyof OAuthOptions)[] = [
  'origin',
  'providers',
  'prefix',
  'defaultPage',
  'signOutPage',
  'signInPage',
  'allowedReturnOrigins',
  'onSignIn',
  'metadata',
  'errorPage',
  'texts',
  'deviceAuthorization',
  'backchannelLogout',
  'transactionTimeout',
  'providerTimeout',
  'cookie',
  'clock',
]
/** What `app.register` itself takes from the same object. */
const fastifyKeys = ['logLevel', 'logSerializers']
/** Routes that a provider's name would hide. */
const takenNames = ['device', 'sign-out']

function parseProviders(value: unknown): OAuthSettings['providers'] {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
  if (!isObject || Object.keys(value).length === 0) {
    throw optionError('providers', value, 'an object such as { google: google({ clientId, clientSecret }) }')
  }
  const entries = Object.entries(value) as [string, OAuthProvider][]
  for (const [name, provider] of entries) {
    if (!/^[a-z\d][a-z\d-]{0,49}$/i.test(name) || takenNames.includes(name)) {
      throw optionError('providers', name, `names of letters, digits and -, but for ${takenNames.join(', ')}`)
    }
    if (provider?.kind !== 'oidc' && provider?.kind !== 'oauth2') {
      throw optionError(
        `providers.${name}`,
        typeof provider,
        'what oidc(…), oauth2(…), google(…) and so on return',
      )
    }
  }
  return Object.freeze(entries)
}

function parseCookie(value: TransactionCookieOptions): OAuthSettings['cookie'] {
  const { name = '__Host-oauth', secure = true } = checkObject('cookie', value, ['name', 'secure'])
  const cookie = {
    name: checkCookieName('cookie.name', name),
    secure: checkBoolean('cookie.secure', secure),
  }
  if (!cookie.secure && /^__(?:host|secure)-/i.test(cookie.name)) {
    throw optionError('cookie.secure', false, `true, as the name is ${cookie.name}`)
  }
  return cookie
}

const deviceOptions: readonly (keyof DeviceAuthorizationOptions)[] = [
  'clients',
  'expiresIn',
  'interval',
  'maxAttempts',
  'approvalMaxAge',
  'account',
  'place',
  'devicesPage',
  'page',
]

function parseDevice(value: OAuthOptions['deviceAuthorization']): DeviceSettings | null {
  if (value === undefined || value === false) return null
  const name = 'deviceAuthorization'
  const given: DeviceAuthorizationOptions = value === true ? {} : value
  checkObject(name, given, deviceOptions)
  const { clients, expiresIn = 600_000, interval = 5_000, maxAttempts = 5, devicesPage } = given
  const { approvalMaxAge = 600_000 } = given
  return Object.freeze({
    clients: clients === undefined ? null : checkTextMap(`${name}.clients`, clients),
    expiresIn: checkDelay(`${name}.expiresIn`, expiresIn),
    interval: checkDelay(`${name}.interval`, interval),
    maxAttempts: checkCount(`${name}.maxAttempts`, maxAttempts),
    approvalMaxAge:
      approvalMaxAge === null
        ? null
        : checkLifetime(`${name}.approvalMaxAge`, approvalMaxAge, 'null for a sign-in of any age'),
    account:
      checkOptionalFunction(`${name}.account`, given.account) ??
      ((request: FastifyRequest) => request.requireSession().userId),
    place: placeOf(checkOptionalFunction(`${name}.place`, given.place)),
    devicesPage: devicesPage === undefined ? null : checkPath(`${name}.devicesPage`, devicesPage),
    page: checkOptionalFunction(`${name}.page`, given.page),
  })
}

function checkClock(clock: unknown): Clock {
  // `Date` itself is a function with the method.
  if (clock === Date || hasMethods(clock, ['now'])) return clock as Clock
  throw optionError('clock', clock, 'an object with the method now')
}

function parseReturnOrigins(value: unknown, allowInsecure: boolean): readonly string[] {
  if (!Array.isArray(value)) throw optionError('allowedReturnOrigins', value, 'a list of origins')
  return Object.freeze(
    value.map((origin, index) => checkOrigin(`allowedReturnOrigins[${index}]`, origin, allowInsecure)),
  )
}

/** A form_post callback is a cross-site POST: only a `SameSite=None` cookie comes with it, which has to be `Secure`. */
function checkFormPost(providers: OAuthSettings['providers'], secure: boolean): void {
  const found = providers.find(([, provider]) => answersByPost(provider))
  if (found === undefined || secure) return
  throw optionError('cookie.secure', false, `true, as the provider ${found[0]} answers with form_post`)
}

/**
 * Checks and completes what was given to `app.register(oauth, options)` in a context of the prefix `base`; throws
 * `GOSESH_ERR_OPTION`.
 */
export function parseSettings(options: OAuthOptions, base: string): OAuthSettings {
  checkObject('', options, [...known, ...fastifyKeys])
  const { prefix = '/auth', defaultPage = '/', signOutPage = '/', allowedReturnOrigins = [] } = options
  const { transactionTimeout = 600_000, providerTimeout = 5_000, clock = Date } = options
  const cookie = parseCookie(options.cookie ?? {})
  const providers = parseProviders(options.providers)
  checkFormPost(providers, cookie.secure)
  const checkedPrefix = base + checkText('prefix', prefix, 'a path such as /auth', /^(?:\/[\w.~-]+)+$/)
  const onlyProvider = providers.length === 1 ? `${checkedPrefix}/${providers[0]?.[0]}` : undefined
  const signInPage = options.signInPage ?? onlyProvider
  return Object.freeze({
    origin: checkOrigin('origin', options.origin, !cookie.secure),
    providers,
    prefix: checkedPrefix,
    defaultPage: checkPath('defaultPage', defaultPage),
    signOutPage: checkPath('signOutPage', signOutPage),
    signInPage: signInPage === undefined ? null : checkPath('signInPage', signInPage),
    allowedReturnOrigins: parseReturnOrigins(allowedReturnOrigins, !cookie.secure),
    onSignIn: checkOptionalFunction('onSignIn', options.onSignIn) ?? (() => undefined),
    metadata: checkOptionalFunction('metadata', options.metadata) ?? (() => ({})),
    errorPage: checkOptionalFunction('errorPage', options.errorPage),
    texts: parseTexts(options.texts ?? {}),
    deviceAuthorization: checkDeviceNeeds(parseDevice(options.deviceAuthorization), signInPage),
    backchannelLogout: checkBoolean('backchannelLogout', options.backchannelLogout ?? false),
    transactionTimeout: checkDelay('transactionTimeout', transactionTimeout),
    providerTimeout: checkDelay('providerTimeout', providerTimeout),
    cookie,
    clock: checkClock(clock),
  })
}

/** The page for a device's code sends who is not signed in to sign in. */
function checkDeviceNeeds(
  device: DeviceSettings | null,
  signInPage: string | undefined,
): DeviceSettings | null {
  if (device === null || signInPage !== undefined) return device
  throw optionError(
    'signInPage',
    signInPage,
    'a path, as deviceAuthorization is on and there are several providers',
  )
}
