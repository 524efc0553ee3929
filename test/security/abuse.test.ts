import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import { bearerCredential, cookieCredential, type Session } from '../../lib/index.js'
import { bearerKinds, cookieKinds, type Material } from './credential-kinds.js'
import {
  allKinds,
  anyRequest,
  type BrokenRequest,
  bodyKinds,
  brokenKinds,
  extraKinds,
  originKinds,
  type WholeRequest,
} from './generated.js'
import type { RawClient, RawResponse } from './raw-client.js'
import { Site, setCookies } from './site.js'

/** Requests, each over a real connection. */
const runs = Number(process.env.ABUSE_RUNS ?? 100_000)
const seed = Number(process.env.ABUSE_SEED ?? Date.now() % 0x7fff_ffff)

const safeMethods = ['GET', 'HEAD', 'OPTIONS', 'TRACE']
const shape = /^[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}$/

interface Device {
  readonly user: string
  readonly token: string
  readonly session: Session
}

/** What the request is, by what was put into it. */
interface Expectation {
  /** The device whose session the request is in. */
  readonly device: Device | null
  /** Whether it carries anything that is shaped like a token, so that a store must be asked. */
  readonly carriesToken: boolean
  /** Whether the cookie, which a sign-in replaces, is of a session. */
  readonly cookieDevice: Device | null
  /** Whether its method is unsafe and a page of another origin sent it. */
  readonly crossOrigin: boolean
  /** Whether the cookie is what decides, so that `crossOrigin` is a reason to refuse. */
  readonly byCookie: boolean
}

function addAbusedRoutes(app: FastifyInstance): void {
  app.get(
    '/recent',
    { onRequest: [(request) => app.requireRecentSignIn(60_000)(request)] },
    async (request) => ({
      user: request.requireSession().userId,
    }),
  )
  app.get('/throws', async (request) => {
    throw Object.assign(new Error('the handler’s own'), { statusCode: 418, user: request.session?.userId })
  })
  const body = { type: ['object', 'null'], properties: { user: { type: 'string' } } }
  for (const [url, config] of [
    ['/enter', {}],
    ['/plain/enter', { session: false as const }],
  ] as const) {
    app.post<{ Body: { user?: string } | null }>(url, { config, schema: { body } }, async (request, reply) =>
      reply.signIn(request.body?.user ?? 'ada'),
    )
  }
  // What was not sent as JSON is not of concern here: each route gets it as text.
  app.addContentTypeParser('text/plain', { parseAs: 'string' }, (_request, body, done) =>
    done(null, { text: body }),
  )
}

/** An application under abuse: devices that are signed in, tokens that are good no longer, and what is checked each time. */
class Siege {
  readonly met = new Map<string, number>()
  readonly statuses = new Map<number, number>()
  readonly #site: Site
  readonly #client: RawClient
  readonly #devices: Device[] = []
  readonly #dead: string[] = []
  #ended = 0
  #loggedLines = 0

  constructor(site: Site, client: RawClient) {
    this.#site = site
    this.#client = client
  }

  /** Four users with three devices each, and tokens that ended in each of the ways. */
  async prepare(expire: () => void): Promise<void> {
    const { gosesh } = this.#site.app
    for (let i = 0; i < 24; i++) {
      const { token, session } = await gosesh.createSession('gone', { absoluteTimeout: 1_000 })
      if (i % 2 === 0) await gosesh.deleteSession(session.id)
      this.#dead.push(token)
    }
    expire()
    for (let i = 0; i < 12; i++) this.#devices.push(await this.#signIn(`user-${i % 4}`))
  }

  get devices(): readonly Device[] {
    return this.#devices
  }

  get loggedLines(): number {
    return this.#loggedLines
  }

  async #signIn(user: string): Promise<Device> {
    return { user, ...(await this.#site.app.gosesh.createSession(user)) }
  }

  #meet(kind: string): void {
    this.met.set(kind, (this.met.get(kind) ?? 0) + 1)
  }

  async request(request: WholeRequest | BrokenRequest): Promise<void> {
    this.#site.store.reset()
    this.#site.logged.length = 0
    if ('broken' in request) await this.#checkBroken(request)
    else await this.#check(request)
  }

  #material({ noise, at, deadToken }: WholeRequest, device: number): Material {
    return { noise, at, live: this.#device(device).token, dead: this.#dead[deadToken] as string }
  }

  #device(index: number): Device {
    return this.#devices[index] as Device
  }

  #expect(request: WholeRequest): Expectation {
    const { means: bearer } = bearerKinds[request.bearer] as { means: string }
    const { means: cookie } = cookieKinds[request.cookie] as { means: string }
    const [method = ''] = request.target.route.split(' ')
    const cookieDevice = cookie === 'live' ? this.#device(request.cookieDevice) : null
    const bearerDevice = bearer === 'live' ? this.#device(request.bearerDevice) : null
    const unsafe = !safeMethods.includes(method) || request.extra === 'an upgrade'
    return {
      device: bearer === 'absent' ? cookieDevice : bearerDevice,
      carriesToken: bearer !== 'absent' || cookie !== 'absent',
      cookieDevice,
      crossOrigin: unsafe && originKinds[request.origin]?.crossOrigin === true,
      byCookie: bearer === 'absent' && cookie === 'live',
    }
  }

  async #check(request: WholeRequest): Promise<void> {
    for (const part of ['cookie', 'bearer', 'origin', 'body', 'extra'] as const) {
      this.#meet(`${part}: ${request[part]}`)
    }
    this.#meet(`target: ${request.target.kind}`)
    const expected = this.#expect(request)
    const materials = [
      this.#material(request, request.cookieDevice),
      this.#material(request, request.bearerDevice),
    ] as const
    const response = await this.#client.send(this.#compose(request, materials))
    assert.ok(response, 'is answered')
    this.#count(response)
    const given = materials.flatMap(({ live, dead }) => [live, dead])
    this.#checkAnswer(request, expected, response)
    this.#checkStore(request, expected, response, given)
    const issued = this.#checkCookies(request, response, given)
    this.#checkNothingLeaks(response, [...given, ...issued])
    await this.#replaceEnded(request, expected, response)
  }

  #compose(request: WholeRequest, [forCookie, forBearer]: readonly [Material, Material]): string {
    const { target, noise } = request
    const [method = '', url = ''] = target.route.split(' ')
    const [type, body] = bodyKinds[request.body]?.(noise) ?? []
    const lines = [
      ...(cookieKinds[request.cookie]?.lines(forCookie) ?? []),
      ...(bearerKinds[request.bearer]?.lines(forBearer) ?? []),
      ...(originKinds[request.origin]?.lines(this.#site.host, noise) ?? []),
      ...(extraKinds[request.extra]?.(noise) ?? []),
      ...(type === undefined ? [] : [`Content-Type: ${type}`]),
    ]
    return this.#site.compose(method, url, lines, body)
  }

  #count({ status }: RawResponse): void {
    this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1)
    assert.ok(status < 500, `answered ${status}`)
  }

  /** Whom the application saw, whom it let in, and whom it refused. */
  #checkAnswer({ target }: WholeRequest, expected: Expectation, { status, body }: RawResponse): void {
    const { route } = target
    const { device, crossOrigin, byCookie } = expected
    const refused = byCookie && crossOrigin
    const signsIn = route.endsWith('/enter')
    const changesSession = signsIn || route.startsWith('POST /logout')
    if (status === 403)
      assert.ok(refused || (changesSession && crossOrigin), 'is refused only if it is cross-origin')
    if (signsIn && status === 200) assert.ok(!crossOrigin, 'no page of another origin signs somebody in')
    if (/ \/(?:act|whoami|me|poll|recent)$/.test(route) && status === 200 && body !== '') {
      const seen = JSON.parse(body)
      const user = seen.user ?? seen.userId ?? seen.session?.userId ?? null
      assert.equal(user, device?.user ?? null, 'is seen as who it is')
      assert.ok(!refused, 'is refused where it is cross-origin')
    }
    if (/ \/(?:me|recent)$/.test(route)) assert.equal(status, this.#guarded(device, refused))
    if (route === 'GET /health') assert.equal(body, '{"session":null}')
  }

  #guarded(device: Device | null, refused: boolean): number {
    if (device === null) return 401
    return refused ? 403 : 200
  }

  /** What a request without a token costs, and that a store never gets to see one. */
  #checkStore(
    { target }: WholeRequest,
    { carriesToken }: Expectation,
    { status }: RawResponse,
    given: readonly string[],
  ): void {
    const { counts, calls } = this.#site.store
    const signedIn = target.route.endsWith('/enter') && status === 200
    if (!carriesToken)
      assert.deepEqual(counts, signedIn ? { createSession: 1 } : {}, 'asks the store nothing')
    if (target.route === 'GET /health') assert.deepEqual(counts, {})
    const asked = JSON.stringify(calls)
    for (const token of given) assert.ok(!asked.includes(token.slice(23)), 'shows the store no secret')
  }

  /** Cookies are set by a sign-in and cleared by a sign-out, and by nothing else. Returns the tokens that were issued. */
  #checkCookies({ target }: WholeRequest, response: RawResponse, given: readonly string[]): string[] {
    const issued: string[] = []
    for (const { pair, attributes } of setCookies(response)) {
      assert.match(
        target.route,
        /^POST .*\/(?:enter|logout|logout-everywhere)$/,
        'no other route sets a cookie',
      )
      const value = pair.slice('__Host-session='.length)
      assert.ok(pair.startsWith('__Host-session='))
      for (const attribute of ['HttpOnly', 'Secure', 'SameSite=Lax', 'Path=/']) {
        assert.ok(attributes.includes(attribute), attribute)
      }
      assert.equal(response.headers.get('cache-control')?.[0], 'no-store')
      if (value === '') continue
      assert.ok(target.route.endsWith('/enter'), 'only a sign-in issues a token')
      assert.match(value, shape)
      assert.ok(!given.includes(value), 'a new one')
      issued.push(value)
    }
    return issued
  }

  #checkNothingLeaks(response: RawResponse, tokens: readonly string[]): void {
    const log = this.#site.logged.join('')
    this.#loggedLines += this.#site.logged.length
    for (const token of tokens) {
      assert.ok(!log.includes(token.slice(23)), 'no secret is logged')
      assert.ok(!response.body.includes(token.slice(23)), 'no secret is in a body')
    }
  }

  /** A sign-in and a sign-out end sessions; those devices are signed in anew, and their tokens are tried as dead ones. */
  async #replaceEnded(
    { target }: WholeRequest,
    expected: Expectation,
    { status }: RawResponse,
  ): Promise<void> {
    if (status !== 200) return
    const { device, cookieDevice } = expected
    if (target.route.endsWith('/enter')) await this.#replace((other) => other === cookieDevice)
    if (target.route === 'POST /logout') await this.#replace((other) => other === device)
    if (target.route === 'POST /logout-everywhere')
      await this.#replace((other) => other.user === device?.user)
  }

  async #replace(isEnded: (device: Device) => boolean): Promise<void> {
    for (const [index, device] of this.#devices.entries()) {
      if (!isEnded(device)) continue
      assert.equal(await this.#site.store.getSession(device.session.id), null, 'the session has ended')
      this.#dead[this.#ended++ % this.#dead.length] = device.token
      this.#devices[index] = await this.#signIn(device.user)
    }
  }

  async #checkBroken({ broken, cookieDevice }: BrokenRequest): Promise<void> {
    this.#meet(`broken: ${broken}`)
    const { token } = this.#device(cookieDevice)
    const head = `GET /act HTTP/1.1\r\nHost: ${this.#site.host}`
    // On its own connection: Node no longer answers what is broken once an upgrade was asked for.
    this.#client.close()
    const response = await this.#client.send(brokenKinds[broken]?.(head, `__Host-session=${token}`) ?? '')
    this.#client.close()
    if (response !== null) {
      this.#count(response)
      assert.ok(response.status === 400 || response.status === 431, `answered ${response.status}`)
    }
    assert.deepEqual(this.#site.store.counts, {}, 'asks the store nothing')
    assert.ok(!this.#site.logged.join('').includes(token), 'no token is logged')
  }
}

t.test(`${runs.toLocaleString('en-GB')} generated requests (ABUSE_SEED=${seed})`, async (t) => {
  let now = Date.parse('2030-01-01T00:00:00Z')
  const site = await Site.start(t, {
    gosesh: {
      credentials: [bearerCredential(), cookieCredential()],
      // No flush comes between a request and the check of what it did.
      activityTracking: { flushInterval: 600_000 },
      clock: { now: () => now },
      trustedOrigins: ['https://app.example.com'],
    },
    routes: addAbusedRoutes,
  })
  const siege = new Siege(site, site.connect(t))
  await siege.prepare(() => {
    now += 1_000
  })
  const property = fc.asyncProperty(anyRequest, (request) => siege.request(request))
  await t.resolves(
    fc.assert(property, { numRuns: runs, seed }),
    'never a 500, nor a session without its token, nor a store call or a log line with one',
  )

  for (const kind of allKinds()) {
    t.ok((siege.met.get(kind) ?? 0) >= Math.floor(runs / 2_000), `met ${siege.met.get(kind) ?? 0} × ${kind}`)
  }
  t.ok(siege.loggedLines > runs, `looked through ${siege.loggedLines} lines of the log`)
  t.comment(`answers: ${JSON.stringify(Object.fromEntries(siege.statuses))}`)
  for (const { user, token } of siege.devices) {
    t.equal((await site.app.gosesh.verifyToken(token))?.userId, user, 'nobody was signed out by it')
  }
})
