import t from 'tap'
import { startExample as startInProcess } from './browser/scene.js'
import { signedIn, signIn, startAlone, startExample } from './example-fixtures.js'
import { Browser, locationOf } from './oauth/browser.js'

const minute = 60_000

/** What stands in the field of the page. */
function typedOn(page: string): string {
  const [, value = ''] = /<input id="note" name="note" value="([^"]*)"/.exec(page) ?? []
  return value
}

t.test('a note is written before signing in, waits, and is saved after it', async (t) => {
  const example = await startExample(t)
  const { url } = example
  const browser = new Browser()
  const page = async (path: string) => await (await browser.get(`${url}${path}`)).text()
  const write = async (note: string) => locationOf(await browser.post(`${url}/note`, { note }))

  t.test('the draft survives the way to the provider and back', async (t) => {
    t.match(await page('/'), 'href="/note"')
    t.match(await page('/note'), 'Sign in and save')
    t.equal(browser.cookies(url).size, 0, 'a look at the pages begins nothing')
    t.equal(await write(' Buy <b>tea</b> '), `${url}/?next=/note`)
    const home = await page('/?next=/note')
    t.match(home, 'Your note is kept until you have signed in.')
    t.notMatch(await page('/?next=/note'), 'Your note is kept')
    t.equal(typedOn(await page('/note')), 'Buy &lt;b&gt;tea&lt;/b&gt;')

    const [, link = ''] = /href="(\/auth\/local[^"]*)"/.exec(home) ?? []
    t.equal(await signIn(example, browser, { link }), `${url}/note`)
    t.notOk(browser.cookies(url).has('gosesh-example-visitor'), 'the visitor has ended')
    const note = await page('/note')
    t.equal(typedOn(note), 'Buy &lt;b&gt;tea&lt;/b&gt;')
    t.match(note, 'You typed this before. It is not saved yet.')
    t.notMatch(await page('/account'), 'tea', 'nothing is saved unseen')

    t.equal(await write('Buy <b>tea</b> and cups'), `${url}/account`)
    const account = await page('/account')
    t.match(account, 'Your note is saved.')
    t.match(account, 'Buy &lt;b&gt;tea&lt;/b&gt; and cups')
    t.notMatch(await page('/note'), 'You typed this before')
  })

  t.test('it is on all devices of the user, and on nobody else’s', async (t) => {
    const [there, foreign] = [await signedIn(example), await signedIn(example, 'grace')]
    const noteOf = async (other: Browser) => typedOn(await (await other.get(`${url}/note`)).text())
    t.match(await noteOf(there), 'tea')
    t.equal(await noteOf(foreign), '')
  })

  t.test('a draft does not pass to the next who signs in at this browser', async (t) => {
    await browser.post(`${url}/auth/sign-out`, {})
    t.equal(typedOn(await page('/note')), '')
    await write('A secret of Ada')
    await signIn(example, browser, { account: 'ada' })
    await browser.post(`${url}/auth/sign-out`, {})
    t.equal(typedOn(await page('/note')), '', 'it went with the session')
    await signIn(example, browser, { account: 'alan' })
    t.equal(typedOn(await page('/note')), '')
  })

  t.test('nor to whoever signs in over a session that has one', async (t) => {
    const other = new Browser()
    const typed = async () => typedOn(await (await other.get(`${url}/note`)).text())
    await other.post(`${url}/note`, { note: 'A secret of Grace' })
    await signIn(example, other, { account: 'grace' })
    t.equal(await typed(), 'A secret of Grace')
    await signIn(example, other, { account: 'alan' })
    t.equal(await typed(), '')
  })
})

t.test('a sign-in that fails leaves the draft to the visitor', async (t) => {
  const { app, origin: url, issuer, stop } = await startInProcess()
  t.teardown(stop)
  const example = { url, env: { PROVIDER_PORT: new URL(issuer).port } }
  const browser = new Browser()
  const draft = async () => typedOn(await (await browser.get(`${url}/note`)).text())
  await browser.post(`${url}/note`, { note: 'Tea' })
  const { store } = app.gosesh
  const { createSession } = store
  store.createSession = async () => Promise.reject(new Error('the disk is full'))
  await t.rejects(signIn(example, browser), { message: /503/ })
  store.createSession = createSession
  t.equal(await draft(), 'Tea')
  await signIn(example, browser)
  t.equal(await draft(), 'Tea')
  t.match(await (await browser.get(`${url}/account`)).text(), 'Signed in as')
})

t.test('a draft of a session that has ended meanwhile is kept, too', async (t) => {
  const { app, browserOf } = await startAlone(t)
  const browser = await browserOf('ada')
  await browser.get('/note')
  await app.gosesh.deleteUserSessions('ada')
  t.equal((await browser.post('/note', { note: 'Still here' })).headers.location, '/?next=/note')
  t.equal(typedOn((await browser.get('/note')).body), 'Still here')
})

t.test('a note that cannot be shown or is too long is not saved, and an empty one deletes it', async (t) => {
  const { browserOf, newBrowser } = await startAlone(t)
  for (const browser of [await browserOf('ada'), newBrowser()]) {
    for (const [note, problem] of [
      ['x'.repeat(201), 'At most 200 characters.'],
      ['bell \u0007', 'It has characters that cannot be shown.'],
    ] as const) {
      const refused = await browser.post('/note', { note })
      t.equal(refused.statusCode, 400)
      t.match(refused.body, problem)
    }
    t.equal(typedOn((await browser.get('/note')).body), '')
  }
  const browser = await browserOf('ada')
  await browser.post('/note', { note: 'Tea' })
  await browser.post('/note', { note: ' ' })
  const account = (await browser.get('/account')).body
  t.match(
    account,
    'Your note is saved.</p>\n<p class="notice" role="status">Your note is deleted.'.slice(0, 20),
  )
  t.match(account, 'Write a note to yourself')
  t.equal((await browser.post('/note')).statusCode, 303, 'a form without the field is an empty one')
})

t.test('a page of another origin begins no draft', async (t) => {
  const { newBrowser } = await startAlone(t)
  const browser = newBrowser()
  const planted = await browser.post('/note', { note: 'planted' }, { 'sec-fetch-site': 'cross-site' })
  t.equal(planted.statusCode, 403)
  t.equal(browser.cookies.size, 0)
})

t.test('one address begins only so many drafts', async (t) => {
  const { newBrowser } = await startAlone(t)
  const statuses = new Set<number>()
  for (let i = 0; i < 60; i++) statuses.add((await newBrowser().post('/note', { note: 'x' })).statusCode)
  t.same([...statuses], [303])
  const browser = newBrowser()
  t.equal((await browser.post('/note', { note: 'x' })).statusCode, 429)
  t.equal((await browser.get('/note')).statusCode, 200)
})

t.test('drafts end by their time, and an outage is said to be one', async (t) => {
  const { newBrowser, store, time } = await startAlone(t)
  const browser = newBrowser()
  await browser.post('/note', { note: 'Tea' })
  const { getSession } = store
  store.getSession = async () => Promise.reject(new Error('the disk is gone'))
  t.equal((await browser.get('/note')).statusCode, 503)
  store.getSession = getSession
  t.equal(typedOn((await browser.get('/note')).body), 'Tea')
  time.now += 7 * 24 * 60 * minute
  t.equal(typedOn((await browser.get('/note')).body), '')
})
