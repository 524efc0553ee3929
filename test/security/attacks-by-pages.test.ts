import t from 'tap'
import { bearerCredential, cookieCredential } from '../../lib/index.js'
import { bearerOf, cookieOf } from './attacks-fixtures.js'
import { Site, setCookies } from './site.js'

t.test('login CSRF: a page of another site signs nobody in, nor out', async (t) => {
  const site = await Site.start(t)
  const victim = await site.signIn('victim')
  for (const headers of [
    ['Origin: https://evil.example'],
    ['Sec-Fetch-Site: cross-site'],
    ['Sec-Fetch-Site: same-site', `Origin: http://${site.host}`],
    ['Origin: null'],
  ]) {
    // SameSite keeps the cookie back; a browser without it does not.
    for (const lines of [headers, [...headers, victim.cookie]]) {
      site.store.reset()
      const response = await site.post('/login', { user: 'attacker' }, lines)
      t.match(JSON.parse(response.body), { statusCode: 403, code: 'GOSESH_ERR_CROSS_ORIGIN' })
      t.same(setCookies(response), [])
      t.notOk(site.store.counts.createSession)
      const out = await site.send('POST', '/logout-everywhere', lines)
      t.same(setCookies(out), [])
    }
    t.equal(await site.userOf(victim.cookie), 'victim')
  }
  t.same(await site.app.gosesh.listUserSessions('attacker'), [])
})

t.test('cookie tossing: what a sibling domain can set', async (t) => {
  t.test('is not the session cookie, whose prefix a browser holds to this host', async (t) => {
    const site = await Site.start(t)
    const { response } = await site.signIn()
    const [set] = setCookies(response)
    t.match(set?.pair, /^__Host-session=/)
    t.ok(
      ['Path=/', 'HttpOnly', 'Secure', 'SameSite=Lax'].every((attribute) =>
        set?.attributes.includes(attribute),
      ),
    )
    t.notOk(set?.attributes.some((attribute) => attribute.startsWith('Domain')))
    t.throws(() => cookieCredential({ domain: 'example.com' }), { code: 'GOSESH_ERR_OPTION' })
    t.throws(() => cookieCredential({ path: '/app' }), { code: 'GOSESH_ERR_OPTION' })
    t.throws(() => cookieCredential({ secure: false }), { code: 'GOSESH_ERR_OPTION' })
  })

  t.test('is not taken for it, however its name is spelt, and beside it changes nothing', async (t) => {
    const site = await Site.start(t)
    const [victim, attacker] = [await site.signIn('victim'), await site.signIn('attacker')]
    for (const name of [
      'session',
      '__host-session',
      '__HOST-session',
      '__Secure-session',
      '\xa0__Host-session',
      '\xa0\xa0__Host-session\xa0',
      '\x85__Host-session',
      '\xe2\x80\x80__Host-session',
      '\xef\xbb\xbf__Host-session',
      '%5F_Host-session',
      '..Host-session',
      '=__Host-session',
      '',
    ]) {
      const tossed = `${name}=${attacker.token}`
      t.equal(await site.userOf(`Cookie: ${tossed}`), null, name)
      t.equal(await site.userOf(`Cookie: ${tossed}; __Host-session=${victim.token}`), 'victim', name)
      t.equal(await site.userOf(`Cookie: __Host-session=${victim.token}; ${tossed}`), 'victim', name)
    }
  })

  t.test('is not ended by a sign-in or a sign-out of the victim, whose own session is', async (t) => {
    const site = await Site.start(t)
    const [victim, attacker] = [await site.signIn('victim'), await site.signIn('attacker')]
    await site.send('POST', '/logout', [`Cookie: session=${attacker.token}; __Host-session=${victim.token}`])
    t.equal(await site.userOf(victim.cookie), null)
    t.equal(await site.userOf(attacker.cookie), 'attacker')
  })
})

t.test('a stale cookie beside a valid bearer', async (t) => {
  const [bearer, cookie] = [bearerCredential(), cookieCredential()]

  t.test('changes nothing where the bearer comes first', async (t) => {
    const site = await Site.start(t, { gosesh: { credentials: [bearer, cookie] } })
    const stale = await site.signIn('stale')
    await site.send('POST', '/logout', [stale.cookie])
    const { token } = await site.app.gosesh.createSession('ada')
    t.equal(await site.userOf(stale.cookie, bearerOf(token)), 'ada')
    const live = await site.signIn('bo')
    t.equal(await site.userOf(live.cookie, bearerOf(token)), 'ada', 'nor does a good cookie')
    const headers = [stale.cookie, bearerOf(token), 'Sec-Fetch-Site: cross-site']
    t.equal((await site.send('POST', '/act', headers)).status, 200, 'no browser sends a bearer by itself')
    await site.send('POST', '/logout', [live.cookie, bearerOf(token)])
    t.equal(await site.userOf(bearerOf(token)), null)
    t.equal(await site.userOf(live.cookie), 'bo', 'the session of the request ended, and no other')
  })

  t.test('shadows it where the cookie comes first, and is never mixed with it', async (t) => {
    const site = await Site.start(t, { gosesh: { credentials: [cookie, bearer] } })
    const stale = await site.signIn('stale')
    await site.send('POST', '/logout', [stale.cookie])
    const { token } = await site.app.gosesh.createSession('ada')
    t.equal(await site.userOf(stale.cookie, bearerOf(token)), null)
    t.equal(await site.userOf(cookieOf('malformed'), bearerOf(token)), 'ada')
  })
})
