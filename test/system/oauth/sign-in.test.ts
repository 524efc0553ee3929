import t from 'tap'
import { callbackFor, errorOf, scene, sessionIn, signInAt } from './app.js'
import { Browser, locationOf } from './browser.js'
import { answerAtProvider } from './oidc-server.js'
import { changed, tamper, transactionError, unavailableError, verificationError } from './sign-in-fixtures.js'

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
