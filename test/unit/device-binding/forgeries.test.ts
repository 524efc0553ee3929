import { createHmac, generateKeyPairSync } from 'node:crypto'
import * as jose from 'jose'
import { exportJWK, UnsecuredJWT } from 'jose'
import t, { type Test } from 'tap'
import { type Jose, ProofVerifier } from '../../../lib/device-binding/proofs.js'
import { bearerCredential, cookieCredential, type GoseshOptions } from '../../../lib/index.js'
import { buildApp } from '../../tools/app.js'
import { challengeIn, cookiesOf, createKey, deviceBinding, FakeDevice, sign } from '../../tools/device-key.js'
import { WatchedStore } from '../../tools/store.js'
import { minute, steppedClock } from '../options/policy-fixtures.js'

async function setUp(t: Test, options: GoseshOptions = {}) {
  const store = new WatchedStore()
  const clock = steppedClock()
  const app = buildApp(t, { deviceBinding, store, clock, ...options })
  return { app, store, clock, device: await FakeDevice.create(app) }
}

/** What others than the browser may send in the place of a proof. */
async function forgedProofs(device: FakeDevice, challenge: string): Promise<[string, string][]> {
  const { key } = device
  const own = await createKey()
  const good = await sign(key, challenge)
  const [header, , signature] = good.split('.')
  const payload = (jti: unknown) => Buffer.from(JSON.stringify({ jti })).toString('base64url')
  const symmetric = (alg: string) => {
    const head = Buffer.from(JSON.stringify({ alg, typ: 'dbsc+jwt', jwk: key.jwk })).toString('base64url')
    const text = `${head}.${payload(challenge)}`
    return `${text}.${createHmac('sha256', JSON.stringify(key.jwk)).update(text).digest('base64url')}`
  }
  return [
    ['alg none', new UnsecuredJWT({ jti: challenge }).encode()],
    [
      'alg none with the type and the key',
      `${Buffer.from(JSON.stringify({ alg: 'none', typ: 'dbsc+jwt', jwk: key.jwk })).toString('base64url')}.${payload(challenge)}.`,
    ],
    ['HS256 with the public key', symmetric('HS256')],
    ['a signature of another key', await sign({ ...own, jwk: key.jwk }, challenge)],
    ['another algorithm', await sign(await createKey('ES384'), challenge)],
    ['another algorithm of the same kind', await sign(await createKey('PS256'), challenge)],
    ['another type', await sign(key, challenge, { typ: 'JWT' })],
    ['no type', await sign(key, challenge, { typ: undefined })],
    ['another payload', `${header}.${payload(`${challenge}x`)}.${signature}`],
    ['no challenge', await sign(key, undefined)],
    ['a challenge that is no text', await sign(key, [challenge])],
    ['no JWT', 'a.b.c'],
    ['too long', `${good}${'x'.repeat(5_000)}`],
    ['empty', ''],
  ]
}

t.test('no forged proof registers, and none of them writes', async (t) => {
  const { device, store } = await setUp(t)
  const { session, challenge } = await device.signIn()
  store.reset()
  const small = await createKey()
  for (const [name, proof] of [
    ...(await forgedProofs(device, challenge)),
    ['no key', await sign(device.key, challenge, { jwk: undefined })],
    ['a private key', await sign(device.key, challenge, { jwk: { ...small.jwk, d: 'x'.repeat(43) } })],
    ['a symmetric key', await sign(device.key, challenge, { jwk: { kty: 'oct', k: 'x'.repeat(43) } })],
  ] as [string, string][]) {
    const response = await device.register(proof)
    t.match(response.json(), { statusCode: 401, code: 'GOSESH_ERR_DEVICE_PROOF' }, name)
    t.equal(response.headers['set-cookie'], undefined, name)
  }
  t.same(store.counts, {})
  t.equal((await device.get('/me')).json().deviceBound, false)
  t.equal(
    (await device.register(await sign(device.key, challenge))).statusCode,
    200,
    'the browser itself may',
  )
  t.equal((await device.refresh(session.id)).statusCode, 200)
})

t.test('no forged proof refreshes', async (t) => {
  const { device } = await setUp(t)
  const { id } = await device.bind()
  const challenge = challengeIn(await device.askRefresh(id))
  const own = await createKey()
  for (const [name, proof] of [
    ...(await forgedProofs(device, challenge)),
    ["a thief's own key, in the header", await sign(own, challenge)],
  ] as [string, string][]) {
    const response = await device.askRefresh(id, { 'secure-session-response': proof })
    t.equal(response.statusCode, 401, name)
    t.equal(response.headers['set-cookie'], undefined, name)
  }
  t.equal((await device.get('/me')).statusCode, 200, 'the victim is unaffected')
  t.equal((await device.refresh(id)).statusCode, 200)
})

t.test('keys of other kinds or sizes than browsers make are refused', async (t) => {
  const { device } = await setUp(t)
  const { challenge } = await device.signIn()
  for (const [name, options] of [
    ['an odd exponent', { modulusLength: 2_048, publicExponent: 3 }],
    ['too large', { modulusLength: 4_104 }],
  ] as const) {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', options)
    const key = { privateKey: privateKey as never, jwk: await exportJWK(publicKey), alg: 'RS256' }
    t.equal((await device.register(await sign(key, challenge))).statusCode, 401, name)
  }
})

t.test('and nothing is verified by one, which may take long', async (t) => {
  const read: unknown[] = []
  const EmbeddedJWK: Jose['EmbeddedJWK'] = async (header, token) => {
    read.push(header?.alg)
    return await jose.EmbeddedJWK(header, token)
  }
  const verifier = new ProofVerifier({ ...jose, EmbeddedJWK })
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2_048, publicExponent: 3 })
  const odd = { privateKey: privateKey as never, jwk: await exportJWK(publicKey), alg: 'RS256' }
  t.equal(await verifier.verifyRegistration(await sign(odd, 'challenge')), null)
  t.strictSame(read, [])
  t.match(await verifier.verifyRegistration(await sign(await createKey(), 'challenge')), {
    challenge: 'challenge',
  })
  t.strictSame(read, ['ES256'])
})

t.test('a challenge is good for its purpose, its session and a minute', async (t) => {
  const { app, device, clock } = await setUp(t)
  const other = await FakeDevice.create(app)
  const first = await device.signIn()
  const second = await other.signIn({ user: 'bo' })
  const { id } = first.session
  const forged = first.challenge.replace(id, second.session.id)
  t.equal((await device.register(await sign(device.key, forged))).statusCode, 401, 'of another session')
  const resigned = first.challenge.replace(/\.[\da-z]+\./, `.${(clock.now() + 1).toString(36)}.`)
  t.equal((await device.register(await sign(device.key, resigned))).statusCode, 401, 'of another time')
  clock.forward(minute)
  t.equal((await device.register(await sign(device.key, first.challenge))).statusCode, 401, 'stale')
  await device.bind()
  await other.bind({ user: 'bo' })
  const bound = (await device.get('/me')).json().id
  const answer = async (challenge: string) =>
    (await device.askRefresh(bound, { 'secure-session-response': await sign(device.key, challenge) }))
      .statusCode
  t.equal(await answer((await device.signIn()).challenge), 401, 'a registration challenge refreshes nothing')
  const rival = (await other.get('/me')).json().id
  t.equal(await answer(challengeIn(await device.askRefresh(rival))), 401, "another session's challenge")
  const asked = await device.askRefresh(bound)
  clock.forward(minute)
  const late = await device.askRefresh(bound, {
    'secure-session-response': await sign(device.key, challengeIn(asked)),
  })
  t.equal(late.statusCode, 403, 'a stale one is answered with a new one')
  t.equal(await answer(challengeIn(late)), 200)
  const fresh = await sign(device.key, challengeIn(await device.askRefresh(bound)))
  const again = await device.register(fresh)
  t.equal(again.statusCode, 401, 'a refresh challenge registers nothing')
  clock.forward(-2 * minute)
  t.equal(await answer(challengeIn(late)), 403, 'nor is one from the future any good')
})

t.test('a second key is refused, and the victim unaffected', async (t) => {
  const { app, device } = await setUp(t)
  const { session, challenge } = await device.signIn()
  const registered = await device.register(await sign(device.key, challenge))
  device.bound = cookiesOf(registered)
  const thief = await FakeDevice.create(app)
  t.equal((await thief.register(await sign(thief.key, challenge))).statusCode, 401)
  t.equal((await device.refresh(session.id)).statusCode, 200)
})

t.test('a proof of another session is cleared, and a navigation comes again', async (t) => {
  const { app, device, clock } = await setUp(t)
  const other = await FakeDevice.create(app)
  await device.bind()
  await other.bind({ user: 'bo' })
  clock.forward(minute)
  const [, mac] = /([\w-]{43})$/.exec(device.bound) ?? []
  const later = device.bound.replace(/\.[\da-z]+\./, `.${(clock.now() + 1).toString(36)}.`)
  for (const [name, bound] of [
    ['of another session', other.bound],
    [
      'of this session with the signature of another',
      other.bound.replace(/[^=]+$/, () =>
        device.bound.replace(/^[^=]+=/, '').replace(String(mac), 'x'.repeat(43)),
      ),
    ],
    ['with a later time', later],
    ['malformed', '__Host-session-bound=x'],
  ] as const) {
    const cookie = `${device.session}; ${bound}`
    const response = await app.inject({ url: '/me', headers: { cookie } })
    t.match(response.json(), { statusCode: 401, code: 'GOSESH_ERR_DEVICE_PROOF' }, name)
    t.same(
      response.cookies.map((c) => [c.name, c.value]),
      [['__Host-session-bound', '']],
      'the session cookie stays',
    )
    const headers = { cookie, 'sec-fetch-mode': 'navigate' }
    const navigation = await app.inject({ url: '/me?a=/b', headers })
    t.match(navigation, { statusCode: 307, headers: { location: './me?a=/b', 'cache-control': 'no-store' } })
    t.same(
      navigation.cookies.map((c) => [c.name, c.value]),
      [['__Host-session-bound', '']],
    )
    t.equal((await app.inject({ method: 'POST', url: '/confirm', headers })).statusCode, 401)
  }
  t.equal((await device.get('/me')).statusCode, 200)
})

t.test('the redirect of a navigation stays on its host', async (t) => {
  const { app, device, clock } = await setUp(t)
  await device.bind()
  clock.forward(minute)
  const headers = { cookie: `${device.session}; __Host-session-bound=x`, 'sec-fetch-mode': 'navigate' }
  for (const [url, location] of [
    ['//evil.example', './evil.example'],
    ['//evil.example/', './'],
    ['/javascript:alert(1)', './javascript:alert(1)'],
  ] as const) {
    t.equal((await app.inject({ url, headers })).headers.location, location)
  }
})

t.test('a bound session’s token is good nowhere but in its cookie', async (t) => {
  const { app, device, clock } = await setUp(t, { credentials: [bearerCredential(), cookieCredential()] })
  await device.bind()
  const token = device.session.replace('__Host-session=', '')
  const authorization = `Bearer ${token}`
  for (const age of [0, minute]) {
    clock.forward(age)
    const response = await app.inject({ url: '/me', headers: { authorization, cookie: device.cookie } })
    t.match(response.json(), { statusCode: 401, code: 'GOSESH_ERR_DEVICE_PROOF' }, `${age} ms later`)
    t.equal(response.headers['www-authenticate'], 'Bearer error="invalid_token"')
  }
  t.equal(await app.gosesh.verifyToken(token), null)
  const plain = await app.gosesh.createSession('ada')
  t.ok(await app.gosesh.verifyToken(plain.token))
  t.ok(await app.gosesh.verifyToken(plain.token, { activity: false }))
})
