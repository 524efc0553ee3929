import { setImmediate } from 'node:timers/promises'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { signInWithCode } from '../../../examples/recipes/second-factor.js'
import gosesh from '../../../lib/index.js'
import { WatchedStore } from '../../tools/store.js'
import { Browser } from './browser.js'

const right = { name: 'ada', password: 'correct horse' }

/** `atOnce`: codes are looked at once so many have come. */
function guardedApp(t: Test, atOnce = 0) {
  const time = { now: Date.parse('2030-01-01T00:00:00Z') }
  const clock = { now: () => time.now }
  const store = new WatchedStore()
  const codes = new Set(['123456', '234567'])
  const asked: string[] = []
  const app = Fastify()
  t.teardown(() => app.close())
  app.register(gosesh, { store, clock, visitors: {} })
  app.register(signInWithCode, {
    clock,
    checkPassword: async (name, password) => (password === right.password ? name : null),
    async checkCode(userId, code) {
      asked.push(`${userId} ${code}`)
      while (asked.length < atOnce) await setImmediate()
      return userId === 'ada' && codes.delete(code)
    },
  })
  app.register(async (scope) => {
    scope.get('/whoami', async ({ session }) => ({ session }))
    scope.get('/data', async (request) => await request.sessionData.all())
    scope.post('/data', async (request) => await request.sessionData.set('planted', true))
  })
  return {
    app,
    asked,
    store,
    wait(ms: number) {
      time.now += ms
    },
    /** Gives the password; resolves with the ticket. */
    async begin(browser: Browser, form: object = right) {
      return String((await browser.post('/login', form)).json().ticket)
    },
    async enter(browser: Browser, ticket: string, code = '123456') {
      return (await browser.post('/login/code', { ticket, code })).statusCode
    },
    session: async (browser: Browser) => (await browser.get('/whoami')).json().session,
  }
}

t.test('a password and then a code sign in, by both factors', async (t) => {
  const { app, begin, enter, session } = guardedApp(t)
  const browser = new Browser(app)
  const ticket = await begin(browser)
  t.equal(await session(browser), null, 'the password alone signs nobody in')
  t.equal(await enter(browser, ticket), 200)
  t.match(await session(browser), { userId: 'ada', factors: [{ method: 'pwd' }, { method: 'otp' }] })
  t.same([...browser.cookies.keys()], ['__Host-session'])
  t.same((await browser.get('/data')).json(), {})
})

t.test('a wrong password begins nothing, and a code without a password is not looked at', async (t) => {
  const { app, asked, begin, enter } = guardedApp(t)
  const browser = new Browser(app)
  t.equal((await browser.post('/login', { ...right, password: 'guess' })).statusCode, 401)
  t.equal(browser.cookies.size, 0)
  for (const ticket of ['', 'undefined', 'x'.repeat(22)]) t.equal(await enter(browser, ticket), 401, ticket)
  t.equal((await browser.post('/login/code', { code: '123456' })).statusCode, 400)
  const ticket = await begin(browser)
  t.equal(await enter(new Browser(app), ticket), 401, 'nor in another browser')
  t.same(asked, [])
  t.equal(await enter(browser, ticket), 200)
})

t.test('it is good for five codes, however many come at once', async (t) => {
  const { app, asked, begin, enter, session } = guardedApp(t)
  const browser = new Browser(app)
  const ticket = await begin(browser)
  const guesses = ['000000', '000001', '000002', '000003', '000004', '000005', '000006']
  const statuses = await Promise.all(guesses.map((code) => enter(browser, ticket, code)))
  t.notOk(statuses.includes(200))
  t.ok(asked.length <= 5, `${asked.length}`)
  for (const code of guesses) await enter(browser, ticket, code)
  t.equal(asked.length, 5)
  t.equal(await enter(browser, ticket), 401, 'the right one comes too late')
  t.equal(await session(browser), null)
  t.equal(await enter(browser, await begin(browser)), 200, 'after the password it is looked at again')
})

t.test('it is good for five minutes', async (t) => {
  const { app, begin, enter, wait } = guardedApp(t)
  const browser = new Browser(app)
  const ticket = await begin(browser)
  wait(5 * 60_000)
  t.equal(await enter(browser, ticket), 401)
  const next = await begin(browser)
  wait(5 * 60_000 - 1)
  t.equal(await enter(browser, next), 200)
})

t.test('it is used up, by one of two right codes at once too', async (t) => {
  const { app, begin, enter, store } = guardedApp(t, 2)
  const browser = new Browser(app)
  const ticket = await begin(browser)
  const cookies = new Map(browser.cookies)
  store.reset()
  const release = store.hold('createSession')
  const both = [enter(browser, ticket, '123456'), enter(browser, ticket, '234567')]
  t.equal(await Promise.race(both), 401, 'one is refused before the other has signed in')
  release()
  t.same((await Promise.all(both)).sort(), [200, 401])
  t.equal(store.counts.createSession, 1)
  t.equal(await enter(new Browser(app, cookies), ticket, '234567'), 401)
})

t.test('a planted cookie lets nobody type the code in place of the user', async (t) => {
  const { app, asked, begin, enter, session } = guardedApp(t)
  const attacker = new Browser(app)
  await attacker.post('/data')
  const victim = new Browser(app, attacker.cookies)
  const ticket = await begin(victim)
  // Whoever planted it has the code, say, by a look at the phone. They lack the password, and the answer to it.
  t.equal(await enter(attacker, 'guess'), 401)
  t.equal(await enter(attacker, await begin(attacker, { ...right, password: 'guess' })), 401)
  t.same(asked, [])
  t.equal(await enter(victim, ticket), 200)
  t.match(await session(victim), { userId: 'ada' })
  t.same((await victim.get('/data')).json(), {}, 'and nothing planted goes over')
  t.equal(await session(attacker), null)
})

t.test('who is signed in already may sign in as somebody else', async (t) => {
  const { app, begin, enter, session } = guardedApp(t)
  const browser = new Browser(app)
  await begin(browser)
  const before = await app.gosesh.createSession('grace')
  browser.cookies.set('__Host-session', before.token)
  t.equal(await enter(browser, await begin(browser)), 200)
  t.match(await session(browser), { userId: 'ada' })
  t.equal(await app.gosesh.getSession(before.session.id), null)
})

t.test('an outage is 503, and signs nobody in', async (t) => {
  const { app, begin, enter, store, session } = guardedApp(t)
  const browser = new Browser(app)
  const ticket = await begin(browser)
  store.fail('swapData')
  t.equal(await enter(browser, ticket), 503)
  store.off('swapData')
  store.fail('createSession')
  t.equal(await enter(browser, ticket), 503)
  store.off('createSession')
  t.equal(await session(browser), null)
  t.equal(await enter(browser, await begin(browser), '234567'), 200)
})
