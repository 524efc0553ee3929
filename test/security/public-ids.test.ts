import t from 'tap'
import { bearerCredential, cookieCredential, type SessionRecord } from '../../lib/index.js'
import { cookieOf } from './attacks-fixtures.js'
import { Site } from './site.js'

/** A session id is shown, logged and listed: whoever knows one can send it with any secret of their own. */
const guesses = ['x'.repeat(43), 'A'.repeat(43)]

async function siteOf(t: Parameters<typeof Site.start>[0]) {
  const site = await Site.start(t, {
    gosesh: {
      credentials: [cookieCredential(), bearerCredential()],
      activityTracking: { flushInterval: 600_000 },
    },
    routes(app) {
      for (const everywhere of [false, true]) {
        app.post(`/plain/logout/${everywhere}`, { config: { session: false } }, async (_request, reply) => {
          await reply.signOut({ everywhere })
          return {}
        })
      }
      app.post('/plain/enter', { config: { session: false } }, async (_request, reply) =>
        reply.signIn('mallory'),
      )
      app.post('/plain/confirm', { config: { session: false } }, async (_request, reply) =>
        reply.reauthenticate(),
      )
    },
  })
  return site
}

t.test('the id of a session with another secret', async (t) => {
  const site = await siteOf(t)
  const victim = await site.signIn('victim')
  await site.userOf(victim.cookie)
  const stored = (await site.store.getSession(victim.session.id)) as SessionRecord
  const forged = guesses.map((guess) => `${victim.session.id}.${guess}`)
  const stolen = await site.signIn('mallory')
  forged.push(`${victim.session.id}.${stolen.token.slice(23)}`, `${victim.session.id}.${stored.secretHash}`)

  for (const [method, url] of [
    ['GET', '/whoami'],
    ['GET', '/me'],
    ['POST', '/login'],
    ['POST', '/logout'],
    ['POST', '/logout-everywhere'],
    ['POST', '/confirm'],
    ['POST', '/plain/logout/false'],
    ['POST', '/plain/logout/true'],
    ['POST', '/plain/enter'],
    ['POST', '/plain/confirm'],
  ] as const) {
    for (const token of forged) {
      for (const line of [cookieOf(token), `Authorization: Bearer ${token}`]) {
        site.store.reset()
        const response = await site.send(method, url, [line])
        const writes = site.store.calls.filter(
          ({ method, args }) => method !== 'getSession' && args[0] === victim.session.id,
        )
        t.same(writes, [], `${method} ${url} deletes, extends and changes nothing`)
        t.notOk(response.body.includes('victim'), `${method} ${url} shows nothing`)
      }
    }
  }
  t.same(await site.store.getSession(victim.session.id), stored, 'the session is as it was')
  t.equal(await site.userOf(victim.cookie), 'victim')
  const { activityTracker } = site.app.gosesh
  await activityTracker?.flush()
  const after = await site.store.getSession(victim.session.id)
  t.ok(after && after.lastActivityAt > stored.lastActivityAt, 'and its pending activity was not forgotten')
})

t.test('a guess is no activity: it keeps nothing alive', async (t) => {
  const site = await siteOf(t)
  const { session } = await site.signIn('victim')
  for (const guess of guesses) await site.userOf(cookieOf(`${session.id}.${guess}`))
  t.equal(site.app.gosesh.activityTracker?.pendingCount, 0)
})

t.test('a sign-out with a wrong secret clears the cookie that is of no use', async (t) => {
  const site = await siteOf(t)
  const { session } = await site.signIn('victim')
  const response = await site.send('POST', '/logout', [cookieOf(`${session.id}.${guesses[0]}`)])
  t.equal(response.status, 200)
  t.match(response.headers.get('set-cookie')?.[0], /^__Host-session=;/)
})

t.test(
  'an expired session that presents its own secret is deleted at sign-out and replaced at sign-in',
  async (t) => {
    let now = Date.parse('2030-01-01T00:00:00Z')
    const site = await Site.start(t, { gosesh: { clock: { now: () => now } } })
    for (const url of ['/logout', '/login']) {
      const { cookie, session } = await site.signIn('ada')
      now += 3_600_000
      await site.send('POST', url, [cookie])
      t.equal(await site.store.getSession(session.id), null, url)
    }
  },
)
