import { once } from 'node:events'
import { createServer } from 'node:http'
import t from 'tap'
import { GoseshError } from '../../../lib/index.js'
import { oidc } from '../../../lib/oauth/index.js'
import { acme, appOrigin, callbackFor, errorOf, scene, sessionIn, signInAt, startApp } from './app.js'
import { Browser, locationOf } from './browser.js'
import {
  answerAtProvider,
  clientSecret,
  formPost,
  freePort,
  OidcServer,
  startOidcServer,
} from './oidc-server.js'

const transactionError = '400 GOSESH_ERR_OAUTH_TRANSACTION'
const verificationError = '400 GOSESH_ERR_OAUTH_VERIFICATION'
const unavailableError = '503 GOSESH_ERR_OAUTH_PROVIDER_UNAVAILABLE'

/** Changes the one transaction that the browser keeps. */
function tamper(browser: Browser, origin: string, change: (fields: unknown[]) => unknown): void {
  const jar = browser.cookies(origin)
  const [[name, value] = ['', '']] = [...jar].filter(([key]) => key.startsWith('__Host-oauth-'))
  const fields = JSON.parse(Buffer.from(value, 'base64url').toString())
  jar.set(name, Buffer.from(JSON.stringify(change(fields))).toString('base64url'))
}

function changed(url: string, parameters: Record<string, string | null>): string {
  const result = new URL(url)
  for (const [name, value] of Object.entries(parameters)) {
    if (value === null) result.searchParams.delete(name)
    else result.searchParams.set(name, value)
  }
  return result.href
}

t.test('signs in: to the provider, back with a code, a session, the page that was asked for', async (t) => {
  const { app, origin, server, browser, button } = await scene(t)
  const begun = await browser.get(`${button}?next=/inbox%3Fpage%3D2`)
  t.equal(begun.status, 303)
  t.equal(begun.headers.get('cache-control'), 'no-store')
  const authorization = new URL(locationOf(begun))
  t.match(Object.fromEntries(authorization.searchParams), {
    client_id: 'app',
    response_type: 'code',
    scope: 'openid email profile',
    redirect_uri: `${origin}/auth/acme/callback`,
    code_challenge_method: 'S256',
    code_challenge: /^[\w-]{43}$/,
    state: /^[\w-]{43}$/,
    nonce: /^[\w-]{43}$/,
  })
  const [cookie = ''] = begun.headers.getSetCookie()
  t.match(cookie, /^__Host-oauth-[\w-]{10}=[\w-]+; Max-Age=600; Path=\/; HttpOnly; Secure; SameSite=Lax$/)

  const callback = await callbackFor(browser, `${button}?next=/inbox%3Fpage%3D2`)
  t.equal(new URL(callback).searchParams.get('iss'), server.issuer)
  const done = await browser.get(callback)
  t.equal(locationOf(done), `${origin}/inbox?page=2`)
  t.match(
    done.headers.getSetCookie()[0],
    /^__Host-oauth-[\w-]{10}=; Max-Age=0; Path=\/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly; Secure; SameSite=Lax$/,
  )
  t.equal(done.headers.get('cache-control'), 'no-store')
  t.equal(done.headers.get('referrer-policy'), 'no-referrer')

  const session = await sessionIn(browser, origin)
  t.equal(session?.userId, await app.gosesh.upsertUser('acme|ada'))
  t.match(session?.metadata, { provider: 'acme', oidc_iss: server.issuer, oidc_sub: 'ada' })
  t.match(session?.metadata?.oidc_sid, /./)
  t.equal(await signInAt(browser, button), `${origin}/`, 'without next to the default page')
  t.equal(await signInAt(browser, `${button}?next=//evil.example`), `${origin}/`)
  const discoveries = server.requests.filter((path) => path.includes('openid-configuration'))
  t.equal(discoveries.length, 1, 'discovered once for all of this')
})

t.test('a callback that this browser has not asked for, or not now, is refused', async (t) => {
  const clock = { offset: 0, now: () => Date.now() + clock.offset }
  const { app, origin, browser, button } = await scene(t, { clock })
  const refused = async (browser: Browser, url: string, error: string, message: string) => {
    t.equal(await errorOf(await browser.get(url)), error, message)
    t.equal(await sessionIn(browser, origin), null, message)
  }
  const fresh = async (user: string | null = 'ada'): Promise<[Browser, string]> => {
    const browser = new Browser()
    return [browser, await callbackFor(browser, button, user)]
  }

  const [denied, denial] = await fresh(null)
  await refused(denied, denial, '403 ', 'access_denied')

  const [failed, answer] = await fresh()
  const failure = changed(answer, { code: null, error: 'server_error', error_description: 'Out of\norder' })
  await refused(failed, failure, '502 GOSESH_ERR_OAUTH_PROVIDER', 'server_error')

  const [odd, oddAnswer] = await fresh()
  const unheardOf = changed(oddAnswer, { code: null, error: 'constructor' })
  await refused(odd, unheardOf, '502 GOSESH_ERR_OAUTH_PROVIDER', 'an error that no standard knows')

  const [busy, answer2] = await fresh()
  const busyAnswer = changed(answer2, { code: null, error: 'temporarily_unavailable' })
  await refused(busy, busyAnswer, unavailableError, 'temporarily_unavailable')

  const callback = await callbackFor(browser, button)
  await refused(new Browser(), callback, transactionError, 'a callback in another browser')
  t.equal((await browser.get(callback)).status, 303)
  await browser.post(`${origin}/auth/sign-out`, {})
  await refused(browser, callback, transactionError, 'a replayed callback')

  const [twin, twice] = await fresh()
  const answers = await Promise.all([twin.get(twice), twin.get(twice)])
  t.same(answers.map(({ status }) => status).sort(), [303, 400], 'a callback sent twice at once')

  const [first, callback1] = await fresh()
  const callback2 = await callbackFor(first, button, 'bo')
  const state = new URL(callback1).searchParams.get('state')
  await refused(first, changed(callback2, { state }), transactionError, 'a state and the code of another tab')
  await refused(first, changed(callback1, { state: null }), transactionError, 'no state')
  await refused(first, changed(callback1, { state: 'x'.repeat(43) }), transactionError, 'a made-up state')

  const [nonced, callback3] = await fresh()
  tamper(nonced, origin, (fields) => fields.with(2, 'another nonce'))
  await refused(nonced, callback3, verificationError, 'a wrong nonce')

  const [mixed, callback4] = await fresh()
  await refused(
    mixed,
    changed(callback4, { iss: 'https://evil.example' }),
    verificationError,
    'a wrong issuer',
  )

  const [silent, callback5] = await fresh()
  await refused(
    silent,
    changed(callback5, { iss: null }),
    verificationError,
    'no issuer where one is promised',
  )

  const [elsewhere, callback6] = await fresh()
  tamper(elsewhere, origin, (fields) => fields.with(0, 'other'))
  await refused(elsewhere, callback6, transactionError, 'a sign-in begun with another provider')

  for (const garbage of ['x', {}, [1], ['acme', 'a', 'b', 'c', 'd', 'e']]) {
    const [broken, callback] = await fresh()
    tamper(broken, origin, () => garbage)
    await refused(broken, callback, transactionError, JSON.stringify(garbage))
  }

  const [led, callback7] = await fresh()
  tamper(led, origin, (fields) => fields.with(4, 'https://evil.example/'))
  t.equal(locationOf(await led.get(callback7)), `${origin}/`, 'a changed cookie leads nowhere else')

  const [late, callback8] = await fresh()
  clock.offset = 600_000
  await refused(late, callback8, transactionError, 'an expired transaction')
  t.equal((await app.inject({ method: 'HEAD', url: '/auth/acme/callback' })).statusCode, 404)
})

t.test('several tabs at once, in whatever order they come back', async (t) => {
  const { origin, browser, button } = await scene(t)
  const callbacks: string[] = []
  for (const page of ['/a', '/b', '/c']) callbacks.push(await callbackFor(browser, `${button}?next=${page}`))
  const [a = '', b = '', c = ''] = callbacks
  t.equal(locationOf(await browser.get(b)), `${origin}/b`)
  t.equal(locationOf(await browser.get(a)), `${origin}/a`)
  t.equal(locationOf(await browser.get(c)), `${origin}/c`)
  t.same([...browser.cookies(origin).keys()], ['__Host-session'], 'nothing is left of them')

  for (let tab = 0; tab < 15; tab++) await browser.get(`${button}?next=/${tab}`)
  browser.cookies(origin).set('__Host-oauth-broken', 'x')
  const last = await callbackFor(browser, `${button}?next=/last`)
  t.equal(browser.cookies(origin).size, 13, 'abandoned ones do not pile up')
  t.notOk(browser.cookies(origin).has('__Host-oauth-broken'))
  t.equal(locationOf(await browser.get(last)), `${origin}/last`)
  for (let tab = 0; tab < 4; tab++) {
    await browser.get(`${button}?next=/${tab}${'x'.repeat(1_900)}`)
    const length = [...browser.cookies(origin)].flat().join('').length
    t.ok(length < 4_500, `${length} characters of cookies, however long the pages' addresses are`)
  }
  t.equal(browser.cookies(origin).size, 2)
})

t.test('eight tabs that a browser restores at once all sign in', async (t) => {
  const { origin, browser, button } = await scene(t)
  const pages = Array.from({ length: 8 }, (_, tab) => `/documents/${tab}?view=${'x'.repeat(40)}`)
  const urls: string[] = []
  for (const page of pages) {
    urls.push(locationOf(await browser.get(`${button}?${new URLSearchParams({ next: page })}`)))
  }
  for (const [tab, url] of urls.entries()) {
    const callback = await answerAtProvider(browser, url, 'ada')
    t.equal(locationOf(await browser.get(callback)), origin + pages[tab])
  }
})

t.test('a callback that is loaded again goes on, if its browser has signed in', async (t) => {
  const { origin, browser, button } = await scene(t, { defaultPage: '/home' })
  const callback = await callbackFor(browser, `${button}?next=/page`)
  t.equal(locationOf(await browser.get(callback)), `${origin}/page`)
  const { id } = (await sessionIn(browser, origin)) ?? {}
  t.equal(locationOf(await browser.get(callback)), `${origin}/home`)
  t.equal((await sessionIn(browser, origin))?.id, id, 'with the same session')
})

t.test('onSignIn', async (t) => {
  const seen: unknown[] = []
  const decisions: Record<string, () => unknown> = {
    ada: () => undefined,
    bo: () => ({ refuse: 'Ask <b>Ada</b> to invite you' }),
    cy: () => ({ userId: 'user-7', metadata: { plan: 'pro', provider: 'mine' } }),
    di: () => ({ userId: undefined }),
    ed: () => false,
    flo: () => ({ refused: 'misspelt' }),
    gil: () => ({ refuse: undefined }),
    fay: () => {
      throw new Error('database down')
    },
  }
  const { app, origin, server, browser, button } = await scene(
    t,
    {
      metadata: async (request) => ({ agent: String(request.headers['user-agent']), plan: 'free' }),
      onSignIn: async (signIn, request) => {
        seen.push({ ...signIn, by: request.session?.userId ?? null })
        return decisions[signIn.subject]?.() as undefined
      },
    },
    { provider: { userInfo: true } },
  )
  await signInAt(browser, button, 'ada')
  t.match(seen, [
    {
      provider: 'acme',
      subject: 'ada',
      profile: { sub: 'ada', email: 'ada@acme.example', name: 'Name of ada' },
      claims: { iss: server.issuer, aud: 'app' },
      tokens: { access_token: /./, id_token: /./ },
      by: null,
    },
  ])
  const ada = await app.gosesh.upsertUser('acme|ada')
  t.match(await sessionIn(browser, origin), { userId: ada, metadata: { agent: /./, plan: 'free' } })

  const refused = await browser.get(await callbackFor(browser, button, 'ada'))
  t.equal(refused.status, 303)
  t.match(seen.at(-1), { by: ada }, 'it sees who is signed in already')

  const other = new Browser()
  const page = await other.get(await callbackFor(other, button, 'bo'))
  t.equal(page.status, 403)
  t.match(await page.text(), /Ask &lt;b&gt;Ada&lt;\/b&gt; to invite you[\s\S]*GOSESH_ERR_OAUTH_REFUSED/)

  const cy = new Browser()
  await signInAt(cy, button, 'cy')
  t.match(await sessionIn(cy, origin), { userId: 'user-7', metadata: { plan: 'pro', provider: 'acme' } })

  for (const [user, code] of [
    ['di', '500 GOSESH_ERR_USER_ID'],
    ['ed', '500 GOSESH_ERR_OPTION'],
    ['flo', '500 GOSESH_ERR_OPTION'],
    ['gil', '403 GOSESH_ERR_OAUTH_REFUSED'],
  ] as const) {
    const browser = new Browser()
    const response = await browser.get(await callbackFor(browser, button, user))
    t.equal(await errorOf(response), code)
    t.equal(await sessionIn(browser, origin), null)
  }
  const fay = new Browser()
  const failed = await fay.get(await callbackFor(fay, button, 'fay'))
  t.match(
    await failed.json(),
    { statusCode: 500, message: 'database down' },
    'the application answers for its own errors',
  )
})

t.test(
  'a sign-in that is asked for anew is verified, whatever the browser does to the request',
  async (t) => {
    for (const [name, authorizationParameters] of [
      ['prompt=login', { prompt: 'login' }],
      ['max_age', { max_age: '5' }],
      ['both', { prompt: 'consent login', max_age: '86400' }],
    ] as const) {
      await t.test(name, async (t) => {
        const clock = { offset: 0, now: () => Date.now() + clock.offset }
        const { browser, button, origin } = await scene(
          t,
          { clock },
          { provider: { authorizationParameters } },
        )
        t.equal(await signInAt(browser, button), `${origin}/`)
        clock.offset += 60_000
        const request = new URL(locationOf(await browser.get(button)))
        t.match(request.searchParams.get('max_age'), /^\d+$/)
        request.searchParams.delete('prompt')
        request.searchParams.set('max_age', '1000000')
        const silent = await answerAtProvider(browser, request.href, null)
        t.equal(await errorOf(await browser.get(silent)), verificationError, 'the old sign-in')

        const bare = new URL(locationOf(await browser.get(button)))
        bare.searchParams.delete('prompt')
        bare.searchParams.delete('max_age')
        const untimed = await answerAtProvider(browser, bare.href, null)
        t.equal(await errorOf(await browser.get(untimed)), verificationError, 'without a time')
      })
    }
  },
)

t.test('metadata that cannot be had fails the sign-in, and nothing else', async (t) => {
  const { app, browser, button } = await scene(t, {
    metadata: async () => {
      throw new Error('database down')
    },
  })
  t.equal((await browser.get(await callbackFor(browser, button))).status, 500)
  t.same(await app.gosesh.listUserSessions(await app.gosesh.upsertUser('acme|ada')), [])
})

t.test('a provider that answers by a POST from its own page', async (t) => {
  const { origin, browser, button } = await scene(t, {}, { provider: { responseMode: 'form_post' } })
  const begun = await browser.get(`${button}?next=/inbox`)
  t.match(begun.headers.getSetCookie(), [/^__Host-oauth-.*; Secure; SameSite=None$/])
  const { url, form } = formPost(await answerAtProvider(browser, locationOf(begun), 'ada'))
  const crossSite = { origin: 'https://acme.example', 'sec-fetch-site': 'cross-site' }
  t.equal((await browser.get(`${url}?${new URLSearchParams(form)}`)).status, 404, 'not by GET')
  t.equal(locationOf(await browser.post(url, form, crossSite)), `${origin}/inbox`)
  t.match(await sessionIn(browser, origin), { metadata: { oidc_sub: 'ada' } })
  t.equal(await errorOf(await browser.post(url, form, crossSite)), transactionError)
  const twice = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: 'state=a&state=b',
  })
  t.equal(await errorOf(twice), '400 GOSESH_ERR_OAUTH_REQUEST')
})

t.test('how the client proves itself to the provider', async (t) => {
  const [origin, second] = [await appOrigin(), await appOrigin()]
  const redirects = {
    redirect_uris: [origin, second].flatMap((origin) =>
      ['acme', 'post', 'public', 'own'].map((name) => `${origin}/auth/${name}/callback`),
    ),
  }
  const secret = { client_secret: clientSecret }
  const basic = await startOidcServer(t, origin, {
    clients: [
      { client_id: 'basic', ...secret, ...redirects },
      { client_id: 'post', ...secret, ...redirects, token_endpoint_auth_method: 'client_secret_post' },
      { client_id: 'public', ...redirects, token_endpoint_auth_method: 'none' },
    ],
  })
  const post = await startOidcServer(t, origin, {
    clientAuthMethods: ['client_secret_post'],
    clients: [
      { client_id: 'post', ...secret, ...redirects, token_endpoint_auth_method: 'client_secret_post' },
    ],
  })
  const secretAsked: string[] = []
  const { ClientSecretPost } = await import('openid-client')
  await startApp(t, {
    origin,
    providers: {
      acme: acme(basic, { clientId: 'basic' }),
      post: acme(basic, { clientId: 'post', clientAuthentication: 'client_secret_post' }),
      public: oidc({ issuer: basic.issuer, clientId: 'public', dangerouslyAllowInsecureIssuer: true }),
      own: acme(basic, { clientId: 'post', clientAuthentication: ClientSecretPost(clientSecret) }),
    },
  })
  for (const name of ['acme', 'post', 'public', 'own']) {
    t.equal(await signInAt(new Browser(), `${origin}/auth/${name}`), `${origin}/`, name)
  }
  await startApp(t, {
    origin: second,
    providers: {
      acme: acme(post, {
        clientId: 'post',
        clientSecret: () => {
          secretAsked.push('asked')
          return clientSecret
        },
      }),
      post: acme(basic, {
        clientId: 'post',
        clientSecret: 'wrong',
        clientAuthentication: 'client_secret_post',
      }),
      own: acme(basic, { clientId: 'public', clientAuthentication: 'none' }),
    },
  })
  t.equal(
    await signInAt(new Browser(), `${second}/auth/acme`),
    `${second}/`,
    'the only method that the provider lists',
  )
  t.same(secretAsked, ['asked'])
  t.equal(await signInAt(new Browser(), `${second}/auth/own`), `${second}/`)
  const browser = new Browser()
  const wrong = await browser.get(await callbackFor(browser, `${second}/auth/post`))
  t.equal(await errorOf(wrong), '502 GOSESH_ERR_OAUTH_PROVIDER')
})

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
