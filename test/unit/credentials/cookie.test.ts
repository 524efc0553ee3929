import t from 'tap'
import { cookieValue } from '../../../lib/core/cookies.js'
import { cookieCredential } from '../../../lib/index.js'
import { buildApp, signIn, whoami } from '../../tools/app.js'
import { recordingLogger } from '../../tools/logger.js'

t.test('cookieValue', async (t) => {
  for (const [header, expected] of [
    ['__Host-s=a', 'a'],
    ['x=1; __Host-s=a; y=2', 'a'],
    ['x=1;__Host-s=a', 'a'],
    [' \t__Host-s \t=\t a \t;', 'a'],
    ['__Host-s=a; __Host-s=b', 'a'],
    ['__Host-s=a=b', 'a=b'],
    ['__Host-s=', ''],
    ['\xa0__Host-s=b; __Host-s=a', 'a'],
    ['\ufeff__Host-s=b', null],
    ['\v__Host-s=b', null],
    ['__Host-s\xa0=b', null],
    ['__host-s=b', null],
    ['__Host%2ds=b', null],
    ['=__Host-s=b', null],
    ['__Host-s', null],
    ['', null],
    ['=', null],
    [';;;', null],
  ] as const) {
    t.equal(cookieValue(header, '__Host-s'), expected, JSON.stringify(header))
  }
})

t.test('persistent: false is a cookie that ends with the browser', async (t) => {
  const app = buildApp(t)
  app.post('/forget', async (_request, reply) => reply.signIn('ada', { persistent: false }))
  const { headers } = await app.inject({ method: 'POST', url: '/forget' })
  t.match(
    headers['set-cookie'],
    /^__Host-session=[\w-]{22}\.[\w-]{43}; Path=\/; HttpOnly; Secure; SameSite=Lax$/,
  )
  const login = (persistent: unknown) =>
    app.inject({ method: 'POST', url: '/login', body: { persistent } as object })
  t.match((await login(true)).headers['set-cookie'], /Max-Age=86400;/)
  t.match((await login('no')).json(), { code: 'GOSESH_ERR_OPTION' })
})

t.test('of two cookies of one name the first counts', async (t) => {
  const app = buildApp(t)
  const ada = await signIn(app)
  const bo = await signIn(app, { user: 'bo' })
  t.equal((await whoami(app, `${ada.cookie}; ${bo.cookie}`))?.userId, 'ada')
  t.equal(await whoami(app, `__Host-session=nonsense; ${bo.cookie}`), null)
})

t.test('the cookie', async (t) => {
  t.test(
    'is HttpOnly, Secure, SameSite=Lax, on / and bound to the host, up to the absolute deadline',
    async (t) => {
      const app = buildApp(t)
      const response = await app.inject({ method: 'POST', url: '/login', body: {} })
      t.match(
        response.headers['set-cookie'],
        /^__Host-session=[\w-]{22}\.[\w-]{43}; Max-Age=86400; Path=\/; HttpOnly; Secure; SameSite=Lax$/,
      )
    },
  )

  t.test('has the attributes that were asked for, also when it is cleared', async (t) => {
    const credential = cookieCredential({
      name: 'sid',
      domain: 'app.example',
      path: '/app',
      sameSite: 'none',
      partitioned: true,
      absoluteTimeout: 90_500,
    })
    const app = buildApp(t, { credentials: [credential] })
    const login = await app.inject({ method: 'POST', url: '/login', body: {} })
    const attributes = 'Domain=app.example; Path=/app; HttpOnly; Secure; Partitioned; SameSite=None'
    t.match(
      login.headers['set-cookie'],
      new RegExp(`^sid=[\\w-]{22}\\.[\\w-]{43}; Max-Age=91; ${attributes}$`),
    )
    const logout = await app.inject({ method: 'POST', url: '/logout' })
    t.equal(
      logout.headers['set-cookie'],
      `sid=; Max-Age=0; ${attributes.replace('HttpOnly', 'Expires=Thu, 01 Jan 1970 00:00:00 GMT; HttpOnly')}`,
    )
  })

  t.test('lives as long as the session that was asked for, and no longer than 400 days', async (t) => {
    const app = buildApp(t)
    const day = 86_400_000
    const remembered = await app.inject({
      method: 'POST',
      url: '/login',
      body: { absoluteTimeout: 90 * day, idleTimeout: 30 * day },
    })
    t.match(remembered.cookies, [{ maxAge: 90 * 86_400 }])
    const tooLong = await app.inject({ method: 'POST', url: '/login', body: { absoluteTimeout: 401 * day } })
    t.match(tooLong.json(), {
      code: 'GOSESH_ERR_OPTION',
      message: /^Option absoluteTimeout is 34646400000; .*carry/,
    })
    t.equal(tooLong.headers['set-cookie'], undefined)
  })
})

t.test(
  'a Secure cookie over plain http to another host is warned about once, saying what to set',
  async (t) => {
    for (const [host, server, warnings] of [
      ['app.example', {}, 1],
      ['10.0.0.1:3000', {}, 1],
      ['notlocalhost', {}, 1],
      ['localhost:3000', {}, 0],
      ['shop.localhost', {}, 0],
      ['127.0.0.1:3000', {}, 0],
      ['[::1]:3000', {}, 0],
      ['app.example', { trustProxy: true }, 0],
    ] as const) {
      const logger = recordingLogger()
      const app = buildApp(t, { logger }, server)
      for (let i = 0; i < 2; i++) {
        await app.inject({ method: 'POST', url: '/login', body: {}, headers: { host } })
      }
      t.equal(logger.above('info').length, warnings, `${host} ${JSON.stringify(server)}`)
      if (warnings > 0) t.match(logger.above('info')[0]?.message, /set Fastify's trustProxy/)
    }
    const logger = recordingLogger()
    const app = buildApp(t, { logger, credentials: [cookieCredential({ name: 'sid', secure: false })] })
    await app.inject({ method: 'POST', url: '/login', body: {}, headers: { host: 'app.example' } })
    t.same(logger.above('info'), [], 'not of a cookie that is not Secure')
  },
)
