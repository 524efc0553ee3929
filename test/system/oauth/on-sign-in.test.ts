import t from 'tap'
import { oidc } from '../../../lib/oauth/index.js'
import { acme, appOrigin, callbackFor, errorOf, scene, sessionIn, signInAt, startApp } from './app.js'
import { Browser, locationOf } from './browser.js'
import { answerAtProvider, clientSecret, formPost, startOidcServer } from './oidc-server.js'
import { transactionError, verificationError } from './sign-in-fixtures.js'

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
