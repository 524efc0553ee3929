import Fastify from 'fastify'
import t from 'tap'
import gosesh, { bearerCredential, cookieCredential } from '../../../lib/index.js'
import { signInAs } from '../../../lib/testing/index.js'
import { buildApp } from '../../tools/app.js'

t.test('signInAs', async (t) => {
  t.test('is a session of the application, and what a request needs to carry it', async (t) => {
    const app = buildApp(t)
    const ada = await signInAs(app, 'ada', { factors: ['pwd'], metadata: { device: 'phone' } })
    t.match(ada.session, { userId: 'ada', factors: [{ method: 'pwd' }], metadata: { device: 'phone' } })
    t.equal(ada.cookie, `__Host-session=${ada.token}`)
    t.same(ada.headers, { cookie: ada.cookie })
    t.match((await ada.inject('/me')).json(), { id: ada.session.id })
    t.match((await app.inject({ url: '/me', headers: ada.headers })).json(), { id: ada.session.id })
    const out = await ada.inject({ method: 'POST', url: '/logout', headers: { 'x-other': 'kept' } })
    t.equal(out.statusCode, 200)
    t.equal((await ada.inject('/me')).statusCode, 401)
  })

  t.test('has the lifetimes of its credential, and those that were asked for', async (t) => {
    const app = buildApp(t, { credentials: [cookieCredential({ idleTimeout: 60_000 }), bearerCredential()] })
    t.equal((await signInAs(app, 'ada')).session.idleTimeout, 60_000)
    t.equal((await signInAs(app, 'ada', { absoluteTimeout: 30_000 })).session.idleTimeout, 30_000)
    t.equal((await signInAs(app, 'ada', { idleTimeout: null })).session.idleDeadline, null)
    const bearer = await signInAs(app, 'ada', { credential: 'bearer' })
    t.equal(bearer.session.idleTimeout, null)
    t.equal(bearer.cookie, null)
    t.same(bearer.headers, { authorization: `Bearer ${bearer.token}` })
    t.equal((await bearer.inject({ url: '/me' })).statusCode, 200)
  })

  t.test('can have signed in a while ago', async (t) => {
    const app = buildApp(t)
    app.register(async (scope) => {
      scope.get('/danger', { config: { session: { signedInWithin: 60_000 } } }, async () => 'in')
    })
    const createdAt = new Date(Date.now() - 120_000)
    t.equal((await (await signInAs(app, 'ada', { createdAt })).inject('/danger')).statusCode, 401)
    const confirmed = await signInAs(app, 'ada', { createdAt, authenticatedAt: new Date() })
    t.equal((await confirmed.inject('/danger')).body, 'in')
  })

  t.test('says what is missing', async (t) => {
    const bare = Fastify()
    t.teardown(() => bare.close())
    await t.rejects(signInAs(bare, 'ada'), { code: 'GOSESH_ERR_NOT_REGISTERED' })
    const app = buildApp(t)
    await t.rejects(signInAs(app, 'ada', { credential: 'bearer' }), {
      code: 'GOSESH_ERR_OPTION',
      message: "Option signInAs.credential is 'bearer'; expected a cookie or bearer credential among cookie",
    })
    await t.rejects(signInAs(app, 'ada', { factor: 'pwd' } as never), { code: 'GOSESH_ERR_OPTION' })
    const own = Fastify()
    t.teardown(() => own.close())
    const { cookieName: _, ...custom } = cookieCredential()
    own.register(gosesh, { credentials: [{ ...custom, name: 'custom' }] })
    await t.rejects(signInAs(own, 'ada'), { code: 'GOSESH_ERR_OPTION' })
  })
})
