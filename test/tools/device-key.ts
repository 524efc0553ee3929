import type { FastifyInstance, LightMyRequestResponse } from 'fastify'
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose'
import type { Session, SignInOptions } from '../../lib/index.js'

export const deviceBinding = { secret: 's'.repeat(32) }

interface KeyPair {
  readonly privateKey: CryptoKey
  readonly jwk: JWK
  readonly alg: string
}

/** A key as a browser makes it. */
export async function createKey(alg = 'ES256'): Promise<KeyPair> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
  return { privateKey, jwk: await exportJWK(publicKey), alg }
}

/** What a browser signs with its key. */
export async function sign(
  { privateKey, jwk, alg }: KeyPair,
  challenge: unknown,
  header: Record<string, unknown> = {},
): Promise<string> {
  return await new SignJWT({ jti: challenge as string })
    .setProtectedHeader({ alg, typ: 'dbsc+jwt', jwk, ...header })
    .sign(privateKey)
}

/** The challenge in a header; throws if there is none. */
export function challengeIn({ headers }: LightMyRequestResponse): string {
  const header = String(headers['secure-session-registration'] ?? headers['secure-session-challenge'])
  const challenge = /challenge="([^"]+)"/.exec(header)?.[1] ?? /^"([^"]+)";id=/.exec(header)?.[1]
  if (challenge === undefined) throw new Error(`no challenge in ${header}`)
  return challenge
}

/** Every cookie that the response sets and does not clear, as a request carries it. */
export function cookiesOf({ cookies }: LightMyRequestResponse): string {
  return cookies
    .filter(({ value }) => value !== '')
    .map(({ name, value }) => `${name}=${value}`)
    .join('; ')
}

/** A browser that binds its session, as far as the protocol goes. */
export class FakeDevice {
  readonly app: FastifyInstance
  readonly key: KeyPair
  readonly path: string
  /** The session cookie, and the bound one. */
  session = ''
  bound = ''

  constructor(app: FastifyInstance, key: KeyPair, path = '/auth/device-key') {
    this.app = app
    this.key = key
    this.path = path
  }

  static async create(app: FastifyInstance, path?: string): Promise<FakeDevice> {
    return new FakeDevice(app, await createKey(), path)
  }

  get cookie(): string {
    return [this.session, this.bound].filter((cookie) => cookie !== '').join('; ')
  }

  /** Signs in, without registering. */
  async signIn(
    body: SignInOptions & { user?: string } = {},
  ): Promise<{ session: Session; challenge: string }> {
    const response = await this.app.inject({ method: 'POST', url: '/login', body })
    this.session = cookiesOf(response)
    return { session: response.json(), challenge: challengeIn(response) }
  }

  async register(proof: string, headers: Record<string, string> = {}): Promise<LightMyRequestResponse> {
    return await this.app.inject({
      method: 'POST',
      url: this.path,
      headers: { 'secure-session-response': proof, ...headers },
    })
  }

  /** Signs in and binds the session. */
  async bind(body: SignInOptions & { user?: string } = {}): Promise<Session> {
    const { session, challenge } = await this.signIn(body)
    const response = await this.register(await sign(this.key, challenge))
    if (response.statusCode !== 200) throw new Error(`registration answered ${response.statusCode}`)
    this.bound = cookiesOf(response)
    return session
  }

  async askRefresh(id: string, headers: Record<string, string> = {}): Promise<LightMyRequestResponse> {
    return await this.app.inject({
      method: 'POST',
      url: this.path.replace(/(?=\?|$)/, '/refresh'),
      headers: { 'sec-secure-session-id': id, ...headers },
    })
  }

  /** Both requests of a refresh; the answer to the second one. */
  async refresh(id: string): Promise<LightMyRequestResponse> {
    const challenge = challengeIn(await this.askRefresh(id))
    const response = await this.askRefresh(id, { 'secure-session-response': await sign(this.key, challenge) })
    if (response.statusCode === 200) this.bound = cookiesOf(response)
    return response
  }

  async get(url: string, headers: Record<string, string> = {}): Promise<LightMyRequestResponse> {
    return await this.app.inject({ url, headers: { cookie: this.cookie, ...headers } })
  }
}
