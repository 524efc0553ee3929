import { TOTP } from 'otpauth'
import t from 'tap'
import { sessionsOf, signedIn, startAlone, startExample } from './example-fixtures.js'
import { locationOf } from './oauth/browser.js'

const minute = 60_000
const step = 30_000

type Browser = Awaited<ReturnType<Awaited<ReturnType<typeof startAlone>>['browserOf']>>

/** Reads the secret off the page that sets the second factor up; resolves with what makes its codes. */
async function secretOf(browser: Browser): Promise<string> {
  const { body } = await browser.get('/security/set-up')
  const [, secret = ''] = /secret=([A-Z2-7]{32})/.exec(body) ?? []
  return secret
}

const codeAt = (secret: string, timestamp: number) => new TOTP({ secret }).generate({ timestamp })

/** A code that is none of these minutes. */
function wrongCode(secret: string, now: number): string {
  const right = [-1, 0, 1].map((steps) => codeAt(secret, now + steps * step))
  return ['000000', '111111', '222222', '333333'].find((code) => !right.includes(code)) ?? ''
}

t.test('a device is renamed by its user, and by nobody else', async (t) => {
  const { app, browserOf } = await startAlone(t)
  const [here, there, foreign] = [await browserOf('ada'), await browserOf('ada'), await browserOf('grace')]
  const nameOf = async (id: string) => (await app.gosesh.getSession(id))?.metadata?.deviceName
  const named = await here.post(`/sessions/${there.id}/name`, { name: '  The <b>old</b>  laptop ' })
  t.equal(named.headers.location, '/account')
  t.equal(await nameOf(there.id), 'The <b>old</b> laptop')
  const page = (await here.get('/account')).body
  t.match(page, 'The &lt;b&gt;old&lt;/b&gt; laptop')
  t.match(page, '<p class="notice" role="status">The name of the device is saved.</p>')
  t.notMatch((await here.get('/account')).body, 'is saved', 'it is said once')

  for (const id of [foreign.id, 'malformed']) {
    const refused = await here.post(`/sessions/${id}/name`, { name: 'Mine' })
    t.equal(refused.statusCode, 404, id)
    t.match(refused.body, 'There is no such page')
  }
  t.equal(await nameOf(foreign.id), undefined)
  const own = `/sessions/${there.id}/name`
  t.equal((await here.post(own, { name: 'X' }, { 'sec-fetch-site': 'same-site' })).statusCode, 403)
  for (const [name, problem] of [
    ['x'.repeat(51), 'At most 50 characters.'],
    ['bell \u0007', 'It has characters that cannot be shown.'],
  ] as const) {
    await here.post(own, { name })
    t.match((await here.get('/account')).body, `The name is not saved. ${problem}`)
  }
  t.equal(await nameOf(there.id), 'The <b>old</b> laptop')
  await here.post(own, { name: ' ' })
  t.match((await here.get('/account')).body, 'The device has no name of yours any more.')
  t.equal(await nameOf(there.id), undefined)
})

t.test('a page that wants a recent sign-in says why, and how to make up for it', async (t) => {
  const { app, time, browserOf } = await startAlone(t)
  const old = await browserOf('ada', {
    authenticatedAt: new Date(time.now - 6 * minute),
    createdAt: new Date(time.now - 60 * minute),
  })
  for (const [url, purpose] of [
    ['/profile', 'Changing your name'],
    ['/security/set-up', 'Setting up a second factor'],
  ] as const) {
    const response = await old.get(url)
    t.equal(response.statusCode, 401)
    t.match(response.headers['www-authenticate'], 'error="insufficient_user_authentication", max_age=300')
    t.match(response.body, '6 minutes ago')
    t.match(response.body, `${purpose} wants that within the last`)
    t.match(response.body, `href="/confirm?next=${encodeURIComponent(url)}"`)
  }
  t.equal((await old.post('/profile', { name: 'Countess' })).statusCode, 401)
  t.notMatch((await old.get('/account')).body, 'Countess')
  t.match((await old.get('/account')).body, 'Confirmed <time datetime="2026-03-02T09:06:00.000Z">')

  const recent = await browserOf('ada', {
    authenticatedAt: new Date(time.now - 4 * minute),
    createdAt: new Date(time.now - 60 * minute),
  })
  t.equal((await recent.get('/profile')).statusCode, 200)
  const anonymous = await app.inject({ url: '/profile?from=mail', headers: { accept: 'text/html' } })
  t.equal(anonymous.headers.location, '/?next=%2Fprofile%3Ffrom%3Dmail')

  const down = await old.get('/confirm?next=/profile')
  t.equal(down.statusCode, 503)
  t.match(down.body, 'The provider cannot be reached')
  t.equal(down.headers['set-cookie'], undefined)
})

t.test('the provider is asked for the password anew, and the way back leads nowhere else', async (t) => {
  const example = await startExample(t)
  const { url } = example
  const browser = await signedIn(example)
  const before = await sessionsOf(example, browser)
  const cookie = new Map(browser.cookies(url))
  for (const [next, page] of [
    ['/profile', '/profile'],
    ['https://evil.example/', '/account'],
    ['//evil.example', '/account'],
  ] as const) {
    const asked = locationOf(await browser.get(`${url}/confirm?${new URLSearchParams({ next })}`))
    const { searchParams } = new URL(asked)
    t.match(Object.fromEntries(searchParams), {
      max_age: '0',
      prompt: 'login',
      login_hint: 'ada@local.example',
    })
    const form = locationOf(await browser.get(asked))
    t.match(await (await browser.get(form)).text(), 'Type your password')
    t.equal((await browser.post(form, { account: 'ada', password: 'guessed' })).status, 400)
    let answer = await browser.post(form, { account: 'ada', password: 'example' })
    while (!locationOf(answer).startsWith(url)) answer = await browser.get(locationOf(answer))
    t.equal(locationOf(await browser.get(locationOf(answer))), `${url}${page}`)
  }
  const after = await sessionsOf(example, browser)
  t.same(
    after.map(({ id }) => id),
    before.map(({ id }) => id),
    'no session came or went',
  )
  t.notSame(new Map(browser.cookies(url)), cookie, 'and its token is another one')
})

t.test('an account of somebody else at the provider confirms nothing, and ends nothing', async (t) => {
  const example = await startExample(t)
  const { url } = example
  const browser = await signedIn(example)
  const [before, cookie] = [await sessionsOf(example, browser), new Map(browser.cookies(url))]
  const form = locationOf(await browser.get(locationOf(await browser.get(`${url}/confirm?next=/profile`))))
  let answer = await browser.post(`${form}?other`, { account: 'grace', password: 'example' })
  while (!locationOf(answer).startsWith(url)) answer = await browser.get(locationOf(answer))
  const refused = await browser.get(locationOf(answer))
  t.equal(refused.status, 403)
  t.match(await refused.text(), 'That was another account')
  t.same(new Map(browser.cookies(url)), cookie)
  const after = await sessionsOf(example, browser)
  t.match(after, [{ id: before[0]?.id, current: true, authenticatedAt: before[0]?.authenticatedAt }])
})

t.test('a second factor is set up by a code, which is no good a second time', async (t) => {
  const { app, time, browserOf } = await startAlone(t)
  const browser = await browserOf('ada')
  const led = await browser.get('/security')
  t.equal(led.headers.location, '/security/code?next=%2Fsecurity')
  t.equal((await browser.get(String(led.headers.location))).headers.location, '/security/set-up')
  const secret = await secretOf(browser)
  t.match(secret, /^[A-Z2-7]{32}$/)
  t.equal(await secretOf(browser), secret, 'the same one while it waits for its code')
  const page = (await browser.get('/security/set-up')).body
  t.match(page, 'otpauth://totp/gosesh%20example:Nameless?issuer=gosesh%20example&amp;secret=')

  const wrong = await browser.post('/security/set-up', { code: wrongCode(secret, time.now) })
  t.equal(wrong.statusCode, 400)
  t.match(wrong.body, 'That is not the code of now')
  t.equal((await browser.get('/security')).statusCode, 303, 'it is not on yet')
  const code = codeAt(secret, time.now)
  const on = await browser.post('/security/set-up', { code: `${code.slice(0, 3)} ${code.slice(3)}` })
  t.equal(on.headers.location, '/security')
  t.match((await browser.get('/security')).body, 'Your second factor is on since')
  t.match((await app.gosesh.getSession(browser.id))?.factors, [{ method: 'otp' }])
  const again = await browser.get('/security/set-up')
  t.equal(again.headers.location, '/security', 'and its secret is not shown again')
  t.equal((await browser.post('/security/set-up', { code })).headers.location, '/security')

  const other = await browserOf('ada')
  t.equal((await other.get('/security')).headers.location, '/security/code?next=%2Fsecurity')
  t.equal((await other.post('/security/code', { code })).statusCode, 400, 'the code that set it up')
  time.now += step
  const next = codeAt(secret, time.now)
  t.equal(
    (await other.post('/security/code', { code: next, next: '/security' })).headers.location,
    '/security',
  )
  t.equal((await other.get('/security')).statusCode, 200)
  const third = await browserOf('ada')
  const replayed = await third.post('/security/code', { code: next })
  t.equal(replayed.statusCode, 400)
  t.match(replayed.body, 'used already')
  t.equal((await third.post('/security/code', { code })).statusCode, 400, 'nor an earlier one')
})

t.test('a secret that was shown and not used gives way to another one', async (t) => {
  const { time, browserOf } = await startAlone(t)
  const browser = await browserOf('ada')
  const secret = await secretOf(browser)
  time.now += 10 * minute
  const later = await browserOf('ada')
  t.not(await secretOf(later), secret)
  t.equal((await later.post('/security/set-up', { code: codeAt(secret, time.now) })).statusCode, 400)
})

t.test('after five wrong codes in a minute none is looked at, of this user alone', async (t) => {
  const { time, browserOf } = await startAlone(t)
  const secrets = new Map<string, string>()
  for (const user of ['ada', 'grace']) {
    const browser = await browserOf(user)
    const secret = await secretOf(browser)
    secrets.set(user, secret)
    await browser.post('/security/set-up', { code: codeAt(secret, time.now) })
  }
  time.now += step
  const [ada, grace] = [await browserOf('ada'), await browserOf('grace')]
  const [hers = '', others = ''] = secrets.values()
  for (let tries = 0; tries < 5; tries++) {
    t.equal((await ada.post('/security/code', { code: wrongCode(hers, time.now) })).statusCode, 400)
  }
  const stopped = await (await browserOf('ada')).post('/security/code', { code: codeAt(hers, time.now) })
  t.equal(stopped.statusCode, 429, 'in another session, too')
  t.equal(stopped.headers['retry-after'], '60')
  t.match(stopped.body, 'Too many wrong codes')
  const free = await grace.post('/security/code', { code: codeAt(others, time.now) })
  t.equal(free.headers.location, '/security')
  time.now += minute
  const right = { code: codeAt(hers, time.now), next: 'https://evil.example/' }
  t.equal((await ada.post('/security/code', right)).headers.location, '/security', 'which leads nowhere else')
})

t.test('what is no code, or comes from elsewhere, is refused', async (t) => {
  const { time, browserOf } = await startAlone(t)
  const browser = await browserOf('ada')
  const code = codeAt(await secretOf(browser), time.now)
  for (const typed of ['', '12345', '１２３４５６', 'abcdef', `${code}0`]) {
    t.equal((await browser.post('/security/set-up', { code: typed })).statusCode, 400, typed)
  }
  t.equal((await browser.post('/security/set-up')).statusCode, 400)
  const elsewhere = { 'sec-fetch-site': 'cross-site' }
  t.equal((await browser.post('/security/set-up', { code }, elsewhere)).statusCode, 403)
  t.equal((await browser.post('/security/code', { code }, elsewhere)).statusCode, 403)
})

t.test('turning the second factor off wants it, and a recent sign-in', async (t) => {
  const { time, browserOf } = await startAlone(t)
  const browser = await browserOf('ada')
  await browser.post('/security/set-up', { code: codeAt(await secretOf(browser), time.now) })
  const without = await (await browserOf('ada')).post('/security')
  t.equal(without.headers.location, '/security/code?next=%2Fsecurity')
  time.now += 6 * minute
  t.equal((await browser.get('/security')).statusCode, 200)
  const old = await browser.post('/security')
  t.equal(old.statusCode, 401)
  t.match(old.body, 'Turning the second factor off wants that within the last')
  time.now -= 2 * minute
  t.equal((await browser.post('/security')).headers.location, '/account')
  t.match((await browser.get('/account')).body, 'Your second factor is off.')
  t.equal((await browser.get('/security')).headers.location, '/security/set-up')
})
