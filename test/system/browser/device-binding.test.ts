import t, { type Test } from 'tap'
import { createKey, sign } from '../../tools/device-key.js'
import {
  type App,
  boundName,
  cookieOf,
  type DeviceEvent,
  letProofExpire,
  newProfile,
  openBrowser,
  openPage,
  send,
  signInBound,
  startApp,
  statusOf,
  until,
} from './device-fixtures.js'
import { hasChromium, howToGetChromium } from './scene.js'

/** How often each of them runs; by default, once those that show the most. */
const { DEVICE_RUNS } = process.env
const shortForm = /^(?:canary|a refresh|sign-out|a store|a wrong|a browser|theft)/

async function setUp(t: Test, profile?: string) {
  const app = await startApp(t)
  const context = await openBrowser(t, profile ?? (await newProfile(t)))
  const { page, events } = await openPage(context)
  return { app, context, page, events }
}

/** The next event of this kind. */
async function eventOf(
  events: DeviceEvent[],
  kind: 'refreshEventDetails' | 'terminationEventDetails',
  from = 0,
) {
  return await until(kind, () => events.slice(from).find((event) => event[kind] !== undefined))
}

function refreshes({ seen }: App): number[] {
  return seen.filter(({ url }) => url === '/auth/device-key/refresh').map(({ status }) => status)
}

const scenes: Record<string, (t: Test) => Promise<void>> = {
  async 'canary: this browser registers a key, or nothing below shows anything'(t) {
    const { app, context, page, events } = await setUp(t)
    const id = await signInBound(app, page, events, context)
    t.match(events[0], { succeeded: true, sessionId: id, creationEventDetails: { fetchResult: 'Success' } })
    t.equal((await app.app.gosesh.getSession(id as never))?.deviceBound, true)
    t.same([await statusOf(page, '/me'), await statusOf(page, '/bound')], [200, 200])
  },

  async 'a sign-in by fetch registers, too'(t) {
    const { app, context, page, events } = await setUp(t)
    await page.goto(app.origin)
    t.equal(await statusOf(page, '/login', 'POST'), 200)
    await until('the registration', () => events.find(({ creationEventDetails }) => creationEventDetails))
    t.ok(await until('the cookie', () => cookieOf(context, app.origin, boundName)))
  },

  async 'a refresh after expiry, before the request goes on'(t) {
    const { app, context, page, events } = await setUp(t)
    await signInBound(app, page, events, context)
    for (let round = 1; round <= 3; round++) {
      await letProofExpire(app, context)
      t.equal(await statusOf(page, '/me'), 200)
      t.same(refreshes(app).slice(-2), [403, 200])
      t.equal(refreshes(app).length, 2 * round)
    }
    t.match(await eventOf(events, 'refreshEventDetails'), { succeeded: true })
    t.equal(
      app.seen.filter(({ url }) => url === '/me').every(({ status }) => status === 200),
      true,
    )
  },

  async 'sign-out ends the key'(t) {
    const { app, context, page, events } = await setUp(t)
    await signInBound(app, page, events, context)
    t.equal(await statusOf(page, '/logout', 'POST'), 200)
    t.equal(await cookieOf(context, app.origin, boundName), undefined)
    t.equal(await statusOf(page, '/me'), 401)
    t.match(await eventOf(events, 'terminationEventDetails'), { succeeded: true })
    const count = refreshes(app).length
    t.equal(await statusOf(page, '/me'), 401)
    t.equal(refreshes(app).length, count, 'there is no key any more')
  },

  async 'revocation on the server ends it'(t) {
    const { app, context, page, events } = await setUp(t)
    const id = await signInBound(app, page, events, context)
    t.ok(await app.app.gosesh.deleteSession(id as never))
    t.equal(await statusOf(page, '/me'), 401, 'at once')
    await letProofExpire(app, context)
    t.equal(await statusOf(page, '/me'), 401)
    t.ok(await eventOf(events, 'terminationEventDetails'))
  },

  async 'two tabs share one refresh'(t) {
    const { app, context, page, events } = await setUp(t)
    await signInBound(app, page, events, context)
    const { page: second } = await openPage(context)
    await second.goto(`${app.origin}/account`)
    await letProofExpire(app, context)
    const paths = Array.from({ length: 5 }, (_, index) => `/me?${index}`)
    const answers = [page, second].flatMap((tab) => paths.map((path) => statusOf(tab, path)))
    t.same(await Promise.all(answers), Array(10).fill(200))
    t.same(refreshes(app), [403, 200])
  },

  async 'a WebSocket waits for the refresh'(t) {
    const { app, context, page, events } = await setUp(t)
    await signInBound(app, page, events, context)
    await letProofExpire(app, context)
    const said = await page.evaluate(
      (url) =>
        new Promise((resolve) => {
          const socket = new WebSocket(url)
          socket.onmessage = ({ data }) => resolve(data)
          socket.onerror = () => resolve('refused')
        }),
      `${app.origin.replace('https', 'wss')}/socket`,
    )
    t.equal(said, 'in')
    t.same(refreshes(app), [403, 200])
  },

  async 'the key survives a restart of the browser'(t) {
    const profile = await newProfile(t)
    const { app, context, page, events } = await setUp(t, profile)
    await signInBound(app, page, events, context)
    await context.close()
    const restarted = await openBrowser(t, profile)
    const { page: again } = await openPage(restarted)
    await letProofExpire(app, restarted)
    await again.goto(`${app.origin}/account`)
    t.equal(await again.locator('h1').textContent(), 'ada')
    t.same(refreshes(app), [403, 200])
  },

  async 'a link from another site is refreshed first'(t) {
    const { app, context, page, events } = await setUp(t)
    await signInBound(app, page, events, context)
    await page.goto(`${app.elsewhere}/link?to=${encodeURIComponent(`${app.origin}/account`)}`)
    await letProofExpire(app, context)
    await page.getByRole('link').click()
    await page.waitForURL('**/account')
    t.equal(await page.locator('h1').textContent(), 'ada')
    t.same(refreshes(app), [403, 200])
    const [refresh] = app.seen.filter(({ url }) => url.endsWith('/refresh'))
    t.notMatch(String(refresh?.headers.cookie), '__Host-session=', 'without the session cookie')
  },

  async 'the return from an identity provider registers'(t) {
    const { app, context, page, events } = await setUp(t)
    await page.goto(`${app.elsewhere}/link?to=${encodeURIComponent(`${app.origin}/sign-in`)}`)
    await page.getByRole('link').click()
    await page.waitForURL('**/account').catch(() => {})
    await until('the registration', () => events.find(({ creationEventDetails }) => creationEventDetails))
    t.ok(await until('the cookie', () => cookieOf(context, app.origin, boundName)))
    app.clock.forward(6_000)
    await page.goto(`${app.origin}/account`)
    t.equal(await page.locator('h1').textContent(), 'ada')
  },

  async 'Clear-Site-Data ends the key'(t) {
    const { app, context, page, events } = await setUp(t)
    await signInBound(app, page, events, context)
    await page.goto(`${app.origin}/clear`)
    t.ok(await eventOf(events, 'terminationEventDetails'))
    t.same(await context.cookies(app.origin), [])
  },

  async 'a store that is down keeps the key, and the browser goes on when it is back'(t) {
    const { app, context, page, events } = await setUp(t)
    await signInBound(app, page, events, context)
    await letProofExpire(app, context)
    const before = refreshes(app).length
    app.store.fail('getSession')
    t.equal(await statusOf(page, '/me'), 503)
    t.ok(
      refreshes(app)
        .slice(before)
        .every((status) => status === 503),
    )
    app.store.off('getSession')
    await until('an answer', async () => (await statusOf(page, '/me')) === 200)
    t.notOk(events.some(({ terminationEventDetails }) => terminationEventDetails))
  },

  async 'a registration that fails leaves a plain session'(t) {
    const { app, page, events } = await setUp(t)
    app.store.fail('updateSession')
    await page.goto(`${app.origin}/sign-in`)
    const created = await until('it', () => events.find(({ creationEventDetails }) => creationEventDetails))
    t.equal(created.succeeded, false)
    t.same([await statusOf(page, '/me'), await statusOf(page, '/bound')], [200, 401])
  },

  async 'a wrong proof is cleared, and a navigation comes again with a right one'(t) {
    const { app, context, page, events } = await setUp(t)
    await signInBound(app, page, events, context)
    const cookie = await cookieOf(context, app.origin, boundName)
    if (cookie === undefined) throw new Error('no cookie')
    await context.addCookies([{ ...cookie, value: 'nonsense' }])
    await page.goto(`${app.origin}/account?a=b`)
    t.equal(await page.locator('h1').textContent(), 'ada')
    t.same(
      app.seen.filter(({ url }) => url === '/account?a=b').map(({ status }) => status),
      [307, 200],
    )
  },

  async 'a browser that lost its key signs in again'(t) {
    const { app, context, page, events } = await setUp(t)
    const id = await signInBound(app, page, events, context)
    const cdp = await context.newCDPSession(page)
    await cdp.send(
      'Network.deleteDeviceBoundSession' as never,
      { key: { site: 'https://app.test', id } } as never,
    )
    await letProofExpire(app, context)
    t.equal(await statusOf(page, '/me'), 401)
    t.not(await signInBound(app, page, events, context), id)
    t.equal(await statusOf(page, '/bound'), 200)
  },

  async 'two sign-ins in one profile: the later one counts, with a key of its own'(t) {
    const { app, context, page, events } = await setUp(t)
    const first = await signInBound(app, page, events, context)
    const second = await signInBound(app, page, events, context)
    t.not(second, first)
    t.equal(await app.app.gosesh.getSession(first as never), null)
    await letProofExpire(app, context)
    t.equal(await statusOf(page, '/bound'), 200)
  },

  async 'theft: the session cookie alone is no good, both are until the proof ends, and no other key will do'(
    t,
  ) {
    const { app, context, page, events } = await setUp(t)
    const id = await signInBound(app, page, events, context)
    const cookies = await context.cookies(app.origin)
    const [session, bound] = ['__Host-session', boundName].map(
      (name) => `${name}=${cookies.find((cookie) => cookie.name === name)?.value}`,
    )
    const both = `${session}; ${bound}`
    t.equal((await send(app, '/me', { cookie: String(session) })).status, 401, 'at once')
    t.equal((await send(app, '/me', { cookie: both })).status, 200)
    app.clock.forward(600_000)
    t.equal((await send(app, '/me', { cookie: both })).status, 401, 'ten minutes later')
    const refresh = (headers: Record<string, string>) =>
      send(app, '/auth/device-key/refresh', { 'sec-secure-session-id': id, cookie: both, ...headers }, 'POST')
    const asked = await refresh({})
    const challenge = /"([^"]+)"/.exec(String(asked.headers['secure-session-challenge']))?.[1]
    const stolen = await sign(await createKey(), challenge)
    t.equal((await refresh({ 'secure-session-response': stolen })).status, 401)
    await context.clearCookies({ name: boundName })
    t.equal(await statusOf(page, '/me'), 200, 'the victim is unaffected')
  },
}

if (!hasChromium) {
  if (process.env.CI === 'true') throw new Error(howToGetChromium)
  t.comment(`LEFT OUT: every test of device-bound sessions in a browser. ${howToGetChromium}`)
} else {
  for (let run = 1; run <= Number(DEVICE_RUNS ?? 1); run++) {
    for (const [name, scene] of Object.entries(scenes)) {
      if (DEVICE_RUNS !== undefined || shortForm.test(name)) t.test(name, { timeout: 60_000 }, scene)
    }
  }
}
