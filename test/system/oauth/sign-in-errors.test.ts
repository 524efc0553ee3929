import { once } from 'node:events'
import { createServer } from 'node:http'
import t from 'tap'
import { GoseshError } from '../../../lib/index.js'
import { acme, appOrigin, callbackFor, errorOf, scene, signInAt, startApp } from './app.js'
import { Browser } from './browser.js'
import { clientSecret, freePort, OidcServer } from './oidc-server.js'
import { changed, tamper, transactionError, unavailableError } from './sign-in-fixtures.js'

t.test('a provider that is down fails its own button, and nothing else', async (t) => {
  const origin = await appOrigin()
  const server = new OidcServer(await freePort(), origin, {})
  t.teardown(() => server.stop())
  const silent = createServer(() => {}).listen(0, '127.0.0.1')
  await once(silent, 'listening')
  t.teardown(() => silent.close())
  t.teardown(() => silent.closeAllConnections())
  const { port } = silent.address() as { port: number }
  const lines: string[] = []
  const app = await startApp(
    t,
    {
      origin,
      providers: {
        acme: acme(server),
        mute: acme({ issuer: `http://127.0.0.1:${port}` }),
        alias: acme({ issuer: server.issuer.replace('127.0.0.1', 'localhost') }),
      },
      providerTimeout: 1,
    },
    { server: { logger: { level: 'warn', stream: { write: (line: string) => void lines.push(line) } } } },
  )
  const browser = new Browser()
  const button = `${origin}/auth/acme`
  const page = await browser.get(button)
  t.equal(page.headers.get('content-type'), 'text/html; charset=utf-8')
  t.match(page.headers.get('content-security-policy'), /default-src 'none'/)
  t.equal(await errorOf(page), unavailableError)
  t.equal(await errorOf(await browser.get(`${origin}/auth/mute`)), unavailableError, 'one that says nothing')
  t.equal((await app.inject({ method: 'POST', url: '/login', body: {} })).statusCode, 200)
  t.ok(
    lines.some(
      (line) => line.includes('a sign-in provider is unavailable') && line.includes('"provider":"acme"'),
    ),
  )

  await server.start()
  const alias = await browser.get(`${origin}/auth/alias`)
  t.equal(await errorOf(alias), '502 GOSESH_ERR_OAUTH_PROVIDER', 'metadata of another issuer')
  const callback = await callbackFor(browser, button)
  await server.stop()
  t.equal(
    await errorOf(await browser.get(callback)),
    unavailableError,
    'down again before the code was redeemed',
  )
  await server.start()
  t.equal(await signInAt(browser, button), `${origin}/`)
})

t.test('what a page for an error says', async (t) => {
  const errors: [string, string][] = []
  const { origin, browser } = await scene(t, {
    errorPage: async (error, request) => {
      errors.push([error.code, request.url])
      if (request.url.includes('broken')) throw new Error('no template')
      return `<p>Sorry: ${error.code}</p>`
    },
  })
  const own = await browser.get(`${origin}/auth/acme/callback`)
  t.equal(own.status, 400)
  t.equal(await own.text(), '<p>Sorry: GOSESH_ERR_OAUTH_TRANSACTION</p>')
  t.equal(own.headers.get('content-security-policy'), null, 'with a policy of its own')
  const fallback = await browser.get(`${origin}/auth/acme/callback?broken`)
  t.equal(await errorOf(fallback), transactionError)
  t.same(errors, [
    ['GOSESH_ERR_OAUTH_TRANSACTION', '/auth/acme/callback'],
    ['GOSESH_ERR_OAUTH_TRANSACTION', '/auth/acme/callback?broken'],
  ])
})

t.test('a page shows nothing of the inside', async (t) => {
  const failures: Record<string, GoseshError> = {
    ada: new GoseshError('GOSESH_ERR_STORE_UNAVAILABLE', {
      message: 'secret host',
      headers: { 'retry-after': '1' },
    }),
    bo: new GoseshError('GOSESH_ERR_METADATA', { message: 'secret key' }),
    cy: new GoseshError('GOSESH_ERR_OAUTH_PEER_MISSING'),
    di: new GoseshError('GOSESH_ERR_TOO_MANY_SESSIONS'),
  }
  const { button } = await scene(t, {
    signInPage: '/sign-in?a=1&b=2',
    onSignIn: ({ subject }) => {
      throw failures[subject]
    },
  })
  for (const [user, status, text] of [
    ['ada', 503, /Sign-in is unavailable; try again/],
    ['bo', 500, /Something went wrong/],
    ['cy', 500, /Something went wrong/],
    ['di', 409, /Sign out on another device first/],
  ] as const) {
    const other = new Browser()
    const response = await other.get(await callbackFor(other, button, user))
    const html = await response.text()
    t.equal(response.status, status)
    t.match(html, text)
    t.match(html, 'href="/sign-in?a=1&amp;b=2"')
    t.notMatch(html, /secret|npm install/)
    if (user === 'ada') t.equal(response.headers.get('retry-after'), '1')
  }
})

t.test('an address like a callback leaves no code in the log', async (t) => {
  for (const options of [
    {},
    { ignoreTrailingSlash: true },
    { routerOptions: { ignoreTrailingSlash: true } },
  ]) {
    const lines: string[] = []
    const logger = { level: 'trace', stream: { write: (line: string) => void lines.push(line) } }
    const app = await startApp(
      t,
      {
        origin: await appOrigin(),
        providers: {
          acme: acme({ issuer: 'http://127.0.0.1:1' }),
          posting: acme({ issuer: 'http://127.0.0.1:1' }, { responseMode: 'form_post' }),
        },
        signInPage: '/',
      },
      { server: { logger, ...options } },
    )
    for (const path of ['posting/callback', 'posting/callback/', 'acme/callback/', 'acme/callback']) {
      for (const method of ['GET', 'HEAD'] as const) {
        const url = `/auth/${path}?code=the-secret-code&state=x`
        const { statusCode } = await app.inject({ method, url })
        t.ok([400, 404].includes(statusCode), `${method} ${path}`)
      }
    }
    t.match(lines.join(''), '/callback')
    t.notMatch(lines.join(''), 'the-secret-code')
  }
})

t.test('what clientSecret fails with is no outage of the provider', async (t) => {
  for (const [clientSecret, cause] of [
    [() => (undefined as unknown as { secret: string }).secret, /Cannot read properties of undefined/],
    [async () => Promise.reject(new Error('the vault is closed')), /the vault is closed/],
    [() => '', /it returned an empty string/],
    [async () => 7 as unknown as string, /it returned number/],
    [() => new Promise<string>(() => {}), /no answer in 200 ms/],
  ] as const) {
    const errors: { code?: string; cause?: Error }[] = []
    const errorPage = (error: GoseshError) => {
      errors.push(error as (typeof errors)[number])
      return 'failed'
    }
    const { browser, button } = await scene(
      t,
      { errorPage, providerTimeout: 200 },
      { provider: { clientSecret } },
    )
    t.equal((await browser.get(await callbackFor(browser, button))).status, 500)
    t.match(errors, [{ code: 'GOSESH_ERR_OPTION', cause: { message: cause } }])
  }
  const provider = { clientSecret: async () => clientSecret }
  const { browser, button, origin } = await scene(t, {}, { provider })
  t.equal(await signInAt(browser, button), `${origin}/`, 'one that takes its time')
})

t.test('no line of the log holds a secret', async (t) => {
  const lines: string[] = []
  const stream = { write: (line: string) => void lines.push(line) }
  const { origin, browser, button } = await scene(t, {}, { server: { logger: { level: 'trace', stream } } })
  const secrets: string[] = []
  const visit = async (url: string): Promise<Response> => {
    const { searchParams } = new URL(url)
    for (const name of ['code', 'state', 'nonce', 'code_challenge'])
      secrets.push(searchParams.get(name) ?? '')
    for (const value of browser.cookies(origin).values()) secrets.push(value)
    return await browser.get(url)
  }
  await visit(await callbackFor(browser, button))
  const bad = await callbackFor(browser, button)
  tamper(browser, origin, (fields) => fields.with(2, 'another nonce'))
  t.equal((await visit(bad)).status, 400)
  const foreign = await callbackFor(browser, button)
  tamper(browser, origin, (fields) => fields.with(3, 'v'.repeat(43)))
  t.equal((await visit(foreign)).status, 400, 'the provider refuses the code for another verifier')
  const failed = await callbackFor(browser, button)
  t.equal((await visit(changed(failed, { error: 'server_error', error_description: failed }))).status, 502)

  const log = lines.join('')
  t.match(log, '"url":"/auth/acme/callback"')
  t.match(log, /server_error[\s\S]*GOSESH_ERR_OAUTH_PROVIDER/)
  for (const secret of new Set(secrets)) {
    if (secret !== '') t.notOk(log.includes(secret), `${secret.slice(0, 6)}…`)
  }
  t.notOk(log.includes(clientSecret))
  t.ok(secrets.filter((secret) => secret !== '').length > 8, 'there were secrets to look for')
})
