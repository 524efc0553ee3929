import t from 'tap'
import { github, oauth2 } from '../../../lib/oauth/index.js'
import { errorOf, sessionIn, signInAt } from './app.js'
import { locationOf } from './browser.js'
import { tamper, transactionError, verificationError } from './sign-in-fixtures.js'
import { type StepUpScene, stepUpScene } from './step-up-fixtures.js'

const hour = 3_600

/** Milliseconds since the proof that the session carries. */
async function ageOf({ browser, origin }: StepUpScene): Promise<number> {
  const session = (await sessionIn(browser, origin)) as unknown as { authenticatedAt: string } | null
  return Date.now() - new Date(String(session?.authenticatedAt)).getTime()
}

/** All of the session but what a look at it moves. */
async function stateOf({ browser, origin }: StepUpScene): Promise<object> {
  const {
    lastActivityAt: _,
    idleDeadline: __,
    ...rest
  } = (await sessionIn(browser, origin)) as object & {
    lastActivityAt?: string
    idleDeadline?: string
  }
  return rest
}

async function statusOf({ browser, origin }: StepUpScene, path: string): Promise<number> {
  return (await browser.get(origin + path)).status
}

t.test('a round trip that asks nobody is no recent sign-in: auth_time, amr and acr count', async (t) => {
  const scene = await stepUpScene(t)
  const { browser, button, origin, login } = scene
  Object.assign(login, { age: hour, amr: ['pwd', 'otp', 'with space', 7], acr: 'urn:acme:mfa' })
  await signInAt(browser, button)
  const age = await ageOf(scene)
  t.ok(age > hour * 1_000 - 2_000 && age < hour * 1_000 + 30_000, `${age} ms`)
  t.equal(await statusOf(scene, '/danger'), 401)
  t.equal(await statusOf(scene, '/mfa'), 200)
  const session = await sessionIn(browser, origin)
  t.match(session, {
    factors: [{ method: 'pwd' }, { method: 'otp' }],
    metadata: { oidc_acr: 'urn:acme:mfa' },
  })
})

t.test('without auth_time the sign-in counts from now', async (t) => {
  const scene = await stepUpScene(t, { client: { require_auth_time: false } })
  await signInAt(scene.browser, scene.button)
  t.ok((await ageOf(scene)) < 5_000)
  t.match(await sessionIn(scene.browser, scene.origin), { factors: [] })
})

t.test(
  'reauthenticate: the provider asks anew, and the session keeps id, metadata and persistence',
  async (t) => {
    const scene = await stepUpScene(t)
    const { app, browser, button, origin, login, ask, server } = scene
    login.age = hour
    await signInAt(browser, button)
    const before = await sessionIn(browser, origin)
    await app.gosesh.updateMetadata(String(before?.id), { deviceName: 'Work laptop' })
    const stolen = browser.cookies(origin).get('__Host-session')
    t.equal(await statusOf(scene, '/danger'), 401)

    ask.options = { reauthenticate: true, returnTo: '/danger' }
    Object.assign(login, { age: 0, amr: ['pwd', 'otp'], acr: 'urn:acme:mfa' })
    const asked = new URL(locationOf(await browser.get(`${origin}/confirm`)))
    t.equal(asked.searchParams.get('max_age'), '0')
    t.ok(server.requests.length > 0)
    const done = await browser.get(await scene.callbackOf())
    t.equal(locationOf(done), `${origin}/danger`)
    t.match(done.headers.getSetCookie().at(-1), /^__Host-session=[\w-]{22}\.[\w-]{43}; Max-Age=86400;/)
    t.equal(await statusOf(scene, '/danger'), 200)
    t.equal(await statusOf(scene, '/mfa'), 200)
    const after = await sessionIn(browser, origin)
    t.equal(after?.id, before?.id)
    t.equal(after?.createdAt, before?.createdAt)
    t.match(after?.metadata, {
      ...before?.metadata,
      deviceName: 'Work laptop',
      oidc_acr: 'urn:acme:mfa',
      oidc_sid: /./,
    })
    t.equal((await app.gosesh.listUserSessions(String(after?.userId))).length, 1)
    browser.cookies(origin).set('__Host-session', String(stolen))
    t.equal(await sessionIn(browser, origin), null, 'the old token is no good')
  },
)

t.test('what a browser leaves out of the question, the answer does not prove', async (t) => {
  const scene = await stepUpScene(t)
  const { browser, button, origin, login, ask } = scene
  login.age = hour
  await signInAt(browser, button)
  const before = await stateOf(scene)
  ask.options = { reauthenticate: true }
  const withoutMaxAge = (url: URL) => url.searchParams.delete('max_age')

  const callback = await scene.callbackOf(withoutMaxAge)
  t.equal(await errorOf(await browser.get(callback)), verificationError)
  t.same(await stateOf(scene), before, 'the session is as it was')

  const again = await scene.callbackOf(withoutMaxAge)
  tamper(browser, origin, (fields) => fields.with(6, null))
  t.equal((await browser.get(again)).status, 303)
  t.ok((await ageOf(scene)) > hour * 1_000 - 2_000, 'the proof is as old as it is')
  t.equal(await statusOf(scene, '/danger'), 401)
})

t.test('what the provider’s options demand holds, whatever the browser makes of its cookie', async (t) => {
  const scene = await stepUpScene(t, { provider: { authorizationParameters: { max_age: '60' } } })
  const { browser, origin, login } = scene
  login.age = hour
  const callback = await scene.callbackOf((url) => url.searchParams.delete('max_age'))
  tamper(browser, origin, (fields) => fields.with(6, null))
  t.equal(await errorOf(await browser.get(callback)), verificationError)
})

t.test('a provider that does not say when its user signed in confirms nothing', async (t) => {
  const scene = await stepUpScene(t, { client: { require_auth_time: false } })
  const { browser, button, origin, ask } = scene
  await signInAt(browser, button)
  const before = await stateOf(scene)
  ask.options = { reauthenticate: true, maxAge: 60_000 }
  for (const fields of [undefined, 6]) {
    const callback = await scene.callbackOf((url) => url.searchParams.delete('max_age'))
    if (fields !== undefined) tamper(browser, origin, (kept) => kept.with(fields, null))
    t.equal(await errorOf(await browser.get(callback)), verificationError)
  }
  t.same(await stateOf(scene), before)
})

t.test('another user’s answer confirms nothing, and onSignIn is not asked about it', async (t) => {
  let asked = 0
  const scene = await stepUpScene(t, {
    oauth: {
      onSignIn: () => {
        asked++
      },
    },
  })
  const { browser, button, login, ask, server } = scene
  await signInAt(browser, button)
  const before = await stateOf(scene)
  browser.cookies(server.issuer).clear()
  login.user = 'mallory'
  ask.options = { reauthenticate: true, prompt: 'login' }
  t.equal((await browser.get(await scene.callbackOf())).status, 403)
  t.same(await stateOf(scene), before)
  t.equal(asked, 1)
})

t.test('onSignIn may refuse a confirmation, and name nobody else', async (t) => {
  const decisions: object[] = []
  const scene = await stepUpScene(t, { oauth: { onSignIn: () => decisions.shift() as never } })
  const { browser, button, ask } = scene
  await signInAt(browser, button)
  const before = await stateOf(scene)
  ask.options = { reauthenticate: true }
  for (const decision of [{ refuse: 'no longer a member' }, { userId: 'mallory' }]) {
    decisions.push(decision)
    t.equal((await browser.get(await scene.callbackOf())).status, 403)
    t.same(await stateOf(scene), before)
  }
})

t.test('a session that has ended meanwhile, or another one, is not confirmed', async (t) => {
  const scene = await stepUpScene(t)
  const { app, browser, button, origin, ask } = scene
  ask.options = { reauthenticate: true }
  await signInAt(browser, button)
  const callback = await scene.callbackOf()
  await app.gosesh.deleteAllSessions()
  t.equal(await errorOf(await browser.get(callback)), transactionError)
  t.equal(await sessionIn(browser, origin), null)
  await signInAt(browser, button)
  const second = await scene.callbackOf()
  await signInAt(browser, button)
  t.equal(await errorOf(await browser.get(second)), transactionError)
})

t.test('acrValues: one of them must be met', async (t) => {
  const scene = await stepUpScene(t)
  const { browser, login, ask, origin } = scene
  ask.options = { acrValues: ['urn:acme:mfa', 'urn:acme:key'], maxAge: 0 }
  login.acr = 'urn:acme:pwd'
  const asked = new URL(locationOf(await browser.get(`${origin}/confirm`)))
  t.equal(asked.searchParams.get('acr_values'), 'urn:acme:mfa urn:acme:key')
  t.equal(await errorOf(await browser.get(await scene.callbackOf())), verificationError)
  login.acr = undefined
  t.equal(await errorOf(await browser.get(await scene.callbackOf())), verificationError)
  login.acr = 'urn:acme:mfa'
  t.equal((await browser.get(await scene.callbackOf())).status, 303)
  t.match((await sessionIn(browser, origin))?.metadata, { oidc_acr: 'urn:acme:mfa' })
})

t.test('parameters of one sign-in go to the provider, beside what gosesh sets itself', async (t) => {
  const scene = await stepUpScene(t, {
    provider: { authorizationParameters: { max_age: '60', ui_locales: 'de' } },
  })
  const { browser, ask, origin } = scene
  const parameters = async (options: typeof ask.options): Promise<Record<string, string>> => {
    ask.options = options
    return Object.fromEntries(new URL(locationOf(await browser.get(`${origin}/confirm`))).searchParams)
  }
  t.match(await parameters({}), { max_age: '60', ui_locales: 'de', scope: 'openid email profile' })
  t.match(
    await parameters({
      prompt: 'login consent',
      loginHint: 'ada@example.com',
      scope: 'openid offline_access',
    }),
    {
      prompt: 'login consent',
      login_hint: 'ada@example.com',
      scope: 'openid offline_access',
      max_age: '0',
      ui_locales: 'de',
    },
  )
  t.match(await parameters({ maxAge: 3_600_000, returnTo: 'https://evil.example/' }), { max_age: '60' })
  t.match(await parameters({ maxAge: 30_000 }), { max_age: '30' })
  t.match(await parameters({ prompt: 'login', maxAge: 30_000 }), { max_age: '0' })
})

t.test(
  'a sign-in there that is too old for the option maxAge of gosesh is refused, not a failure',
  async (t) => {
    const scene = await stepUpScene(t, { sessions: { maxAge: hour * 1_000 } })
    const { browser, button, login, origin } = scene
    login.age = 2 * hour
    const { callbackFor } = await import('./app.js')
    t.equal(await errorOf(await browser.get(await callbackFor(browser, button))), verificationError)
    t.equal(await sessionIn(browser, origin), null)
  },
)

t.test('wrong options and calls say what would be right', async (t) => {
  const scene = await stepUpScene(t, {
    oauth: {},
  })
  const { browser, origin, ask } = scene
  const errors = async (options: object, name = 'acme'): Promise<string> => {
    ask.options = options
    return await (await browser.get(`${origin}/go/${name}`)).text()
  }
  for (const [options, message] of [
    [{ maxage: 1 }, /redirectToProvider.maxage .* no such option; known are returnTo/],
    [{ maxAge: -1 }, /redirectToProvider.maxAge is -1; expected a whole number of milliseconds, 0 or more/],
    [{ acrValues: 'x' }, /redirectToProvider.acrValues/],
    [{ acrValues: ['a b'] }, /redirectToProvider.acrValues/],
    [{ prompt: '' }, /redirectToProvider.prompt/],
    [{ prompt: 7 }, /redirectToProvider.prompt is 7/],
    [{ loginHint: 'x'.repeat(301) }, /redirectToProvider.loginHint/],
    [{ scope: 'email' }, /redirectToProvider.scope .* scopes with openid among them/],
    [{ reauthenticate: 'yes' }, /redirectToProvider.reauthenticate is 'yes'; expected true or false/],
  ] as const) {
    t.match(await errors(options), message)
  }
  t.match(await errors({}, 'nobody'), /redirectToProvider is 'nobody'; expected one of acme/)
  t.match(await errors({ reauthenticate: true }), /GOSESH_ERR_UNAUTHENTICATED/)
})

t.test('a provider without OpenID, or one that answers by POST, cannot confirm', async (t) => {
  const hub = github({ clientId: 'a', clientSecret: 'b' })
  const plain = oauth2({
    clientId: 'a',
    clientSecret: 'b',
    authorizationEndpoint: 'https://op.example/authorize',
    tokenEndpoint: 'https://op.example/token',
    profileEndpoint: 'https://op.example/me',
    subject: (profile) => String(profile.id),
  })
  const { acme } = await import('./app.js')
  const posting = acme({ issuer: 'http://127.0.0.1:9' }, { responseMode: 'form_post' })
  const scene = await stepUpScene(t, {
    oauth: { providers: { hub, plain, posting } },
    sessions: {},
  })
  const { browser, origin, ask } = scene
  for (const [name, options, message] of [
    [
      'hub',
      { maxAge: 0 },
      /redirectToProvider.maxAge is 0; expected nothing, as the provider does not speak OpenID/,
    ],
    ['plain', { acrValues: ['x'] }, /acrValues/],
    ['plain', { reauthenticate: true }, /reauthenticate is true; expected nothing/],
    [
      'posting',
      { reauthenticate: true },
      /reauthenticate is true; expected false, as the provider answers with form_post/,
    ],
  ] as const) {
    ask.options = options
    t.match(await (await browser.get(`${origin}/go/${name}`)).text(), message)
  }
  ask.options = { scope: 'read:user', prompt: 'consent' }
  const url = new URL(locationOf(await browser.get(`${origin}/go/plain`)))
  t.match(Object.fromEntries(url.searchParams), { scope: 'read:user', prompt: 'consent' })
  t.equal(url.searchParams.get('max_age'), null)
})
