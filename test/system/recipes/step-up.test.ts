import { readFile } from 'node:fs/promises'
import Fastify from 'fastify'
import { decodeJwt, type JWTPayload } from 'jose'
import t, { type Test } from 'tap'
import gosesh, { GoseshError, returnTo } from '../../../lib/index.js'
import { oauth } from '../../../lib/oauth/index.js'
import { signInAs } from '../../../lib/testing/index.js'
import { cookieOf } from '../../tools/app.js'
import { acme, appOrigin, errorOf, sessionIn, signInAt } from '../oauth/app.js'
import { Browser, locationOf } from '../oauth/browser.js'
import { answerAtProvider, startOidcServer } from '../oauth/oidc-server.js'

const page = await readFile(new URL('../../../docs/how-strong-is-this-sign-in.md', import.meta.url), 'utf8')
const minute = 60_000

/** The code with which docs/oauth.md asks a provider for more. */
async function readSignInWithDemands(): Promise<string> {
  const oauthPage = await readFile(new URL('../../../docs/oauth.md', import.meta.url), 'utf8')
  const [, code = ''] = /## One sign-in with demands[\s\S]*?```js\n([\s\S]*?)```/.exec(oauthPage) ?? []
  return code
}

/** Runs the code of the page, all of it in order. */
function addPage(app: object): void {
  const given = {
    app,
    GoseshError,
    returnTo,
    checkPassword: async ({ user }: { user: string }) => user,
    checkCode: async (_userId: string, code: string) => {
      if (code !== '123456') throw Object.assign(new Error('The code is wrong'), { statusCode: 403 })
    },
    showKeys: async () => 'keys',
    changeEmail: async () => 'changed',
    transfer: async () => 'sent',
  }
  const code = Array.from(page.matchAll(/^```js\n([\s\S]*?)^```$/gm), ([, block = '']) => block)
  new Function(...Object.keys(given), code.join('\n'))(...Object.values(given))
}

t.test('with a password and a code', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(gosesh)
  app.decorateReply('redirectToProvider', async (_name) => Promise.reject(new Error('no provider')))
  addPage(app)
  const post = (url: string, headers: Record<string, string>, body: object = {}) =>
    app.inject({ method: 'POST', url, headers, body })
  const anHourAgo = new Date(Date.now() - 60 * minute)

  t.test('a route demands what the page says, and a confirmation gives it', async (t) => {
    const cookie = cookieOf(await post('/login', {}, { user: 'ada' }))
    t.equal((await post('/email', { cookie })).body, 'changed')
    t.match((await post('/transfer', { cookie })).json(), { code: 'GOSESH_ERR_FACTOR_MISSING' })
    t.equal((await post('/confirm', { cookie }, { code: '000000' })).statusCode, 403)
    const confirmed = await post('/confirm?next=/keys', { cookie }, { code: '123456' })
    t.equal(confirmed.headers.location, '/keys')
    const headers = { cookie: cookieOf(confirmed) }
    for (const url of ['/email', '/transfer']) t.equal((await post(url, headers)).statusCode, 200)
    t.equal((await post('/email', { cookie })).statusCode, 401, 'the old token')
  })

  t.test('with both demands a factor has to be as recent', async (t) => {
    const ada = await signInAs(app, 'ada', { createdAt: anHourAgo, factors: ['otp'] })
    const { token } = await app.gosesh.reauthenticate(ada.session.id, { factors: ['pwd'] })
    const headers = { cookie: `__Host-session=${token}` }
    t.match((await post('/transfer', headers)).json(), { code: 'GOSESH_ERR_FACTOR_MISSING' })
  })

  t.test('a page navigation is sent on to confirm, anything else is answered 401', async (t) => {
    const ada = await signInAs(app, 'ada', { createdAt: anHourAgo })
    const navigation = { 'sec-fetch-mode': 'navigate' }
    const sent = await ada.inject({ url: '/keys?all', headers: navigation })
    t.equal(sent.headers.location, '/confirm?next=%2Fkeys%3Fall')
    t.match((await ada.inject('/keys')).json(), { statusCode: 401, code: 'GOSESH_ERR_SIGN_IN_NOT_RECENT' })
    const nobody = await app.inject({ url: '/keys', headers: navigation })
    t.match(nobody.json(), { statusCode: 401, code: 'GOSESH_ERR_UNAUTHENTICATED' })
    t.equal(nobody.headers['www-authenticate'], undefined, 'with cookies alone there is no challenge')
    const both = await ada.inject({ method: 'POST', url: '/transfer' })
    t.match(both.json(), { code: 'GOSESH_ERR_SIGN_IN_NOT_RECENT' }, 'the first demand that fails')
  })
})

/** The application of the page with a real provider, whose ID tokens say what `claims` changes. */
async function scene(t: Test) {
  const origin = await appOrigin()
  const server = await startOidcServer(t, origin)
  let change = (claims: JWTPayload): JWTPayload => claims
  const app = Fastify({ forceCloseConnections: true })
  t.teardown(() => app.close())
  await app.register(gosesh)
  const provider = acme(server, {
    async fetch(url, init) {
      const response = await fetch(url, init as RequestInit)
      if (!url.endsWith('/token')) return response
      const body = (await response.json()) as { id_token: string }
      const id_token = await server.sign(change(decodeJwt(body.id_token)))
      return Response.json({ ...body, id_token })
    },
  })
  await app.register(oauth, { origin, providers: { acme: provider } })
  addPage(app)
  new Function('app', await readSignInWithDemands())(app)
  app.get('/whoami', async ({ session }) => ({ session }))
  const { hostname, port } = new URL(origin)
  await app.listen({ host: hostname, port: Number(port) })
  const browser = new Browser()
  return {
    app,
    browser,
    whoami: () => sessionIn(browser, origin),
    get: (path: string) => browser.get(`${origin}${path}`),
    signIn: () => signInAt(browser, `${origin}/auth/acme`),
    /** Confirms at the provider; resolves with the answer to the callback. */
    async confirm(path: string) {
      const begun = await browser.get(`${origin}${path}`)
      return await browser.get(await answerAtProvider(browser, locationOf(begun), 'ada'))
    },
    say(changes: JWTPayload) {
      change = (claims) => ({ ...claims, ...changes })
    },
  }
}

const secondsAgo = (ms: number): number => Math.floor((Date.now() - ms) / 1_000)

t.test('a silent round trip to the provider is no recent sign-in', async (t) => {
  const { get, signIn, say } = await scene(t)
  say({ auth_time: secondsAgo(10 * minute) })
  await signIn()
  t.match(await (await get('/keys')).json(), { code: 'GOSESH_ERR_SIGN_IN_NOT_RECENT' })
  say({ auth_time: secondsAgo(0) })
  await signIn()
  t.equal(await (await get('/keys')).text(), 'keys')
})

t.test('amr of the provider becomes factors, and without amr there are none', async (t) => {
  const { signIn, say, whoami } = await scene(t)
  say({ amr: ['pwd', 'otp'], acr: 'urn:acme:code' })
  await signIn()
  t.match(await whoami(), {
    factors: [{ method: 'pwd' }, { method: 'otp' }],
    metadata: { oidc_acr: 'urn:acme:code' },
  })
  say({ amr: undefined })
  await signIn()
  t.match(await whoami(), { factors: [] })
})

t.test('a confirmation at the provider keeps the session, and counts from auth_time', async (t) => {
  const { get, signIn, say, confirm, whoami } = await scene(t)
  say({ auth_time: secondsAgo(10 * minute), amr: ['pwd'] })
  await signIn()
  const before = await whoami()
  say({ auth_time: secondsAgo(0), amr: ['otp'] })
  t.match(locationOf(await confirm('/confirm/acme?next=/keys')), /\/keys$/)
  t.match(await whoami(), { id: before?.id, createdAt: before?.createdAt })
  t.match(await whoami(), { factors: [{ method: 'pwd' }, { method: 'otp' }] })
  t.equal((await get('/keys')).status, 200)
})

t.test('a provider without auth_time: a sign-in counts as now, and nothing is confirmed', async (t) => {
  const { get, signIn, say, confirm } = await scene(t)
  say({ auth_time: undefined })
  await signIn()
  t.equal((await get('/keys')).status, 200)
  t.equal(await errorOf(await confirm('/confirm/acme')), '400 GOSESH_ERR_OAUTH_VERIFICATION')
})

t.test('an answer of another user, or of an old sign-in, confirms nothing', async (t) => {
  const { signIn, say, confirm, whoami } = await scene(t)
  await signIn()
  const before = await whoami()
  say({ sub: 'bo' })
  t.equal(await errorOf(await confirm('/confirm/acme')), '403 GOSESH_ERR_OAUTH_REFUSED')
  say({ auth_time: secondsAgo(10 * minute) })
  t.equal(await errorOf(await confirm('/confirm/acme')), '400 GOSESH_ERR_OAUTH_VERIFICATION')
  t.match(await whoami(), { id: before?.id, userId: before?.userId })
})

t.test('an answer without the acr that was asked for confirms nothing', async (t) => {
  const { signIn, say, confirm, whoami } = await scene(t)
  await signIn()
  t.equal(await errorOf(await confirm('/confirm/acme-key')), '400 GOSESH_ERR_OAUTH_VERIFICATION')
  say({ acr: 'urn:acme:password' })
  t.equal(await errorOf(await confirm('/confirm/acme-key')), '400 GOSESH_ERR_OAUTH_VERIFICATION')
  say({ acr: 'urn:acme:security-key' })
  t.match(locationOf(await confirm('/confirm/acme-key')), /\/keys$/)
  t.match(await whoami(), { metadata: { oidc_acr: 'urn:acme:security-key' } })
})

t.test('a sign-in with demands of its own is verified for them', async (t) => {
  const { get, say, confirm, whoami } = await scene(t)
  const { searchParams } = new URL(locationOf(await get('/admin/sign-in')))
  t.match(Object.fromEntries(searchParams), { max_age: '3600', acr_values: 'urn:acme:security-key' })
  say({ acr: 'urn:acme:security-key', auth_time: secondsAgo(2 * 60 * minute) })
  t.equal(await errorOf(await confirm('/admin/sign-in')), '400 GOSESH_ERR_OAUTH_VERIFICATION')
  t.equal(await whoami(), null)
  say({ acr: 'urn:acme:security-key', auth_time: secondsAgo(30 * minute) })
  t.match(locationOf(await confirm('/admin/sign-in')), /\/admin$/)
  t.match(await whoami(), { metadata: { oidc_acr: 'urn:acme:security-key' } })
  t.match(await (await get('/keys')).json(), { code: 'GOSESH_ERR_SIGN_IN_NOT_RECENT' })
})
