import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import type { GoseshOptions } from '../../../lib/index.js'
import { buildApp, signIn } from '../../tools/app.js'
import { deviceBinding, FakeDevice } from '../../tools/device-key.js'
import { WatchedStore } from '../../tools/store.js'
import { minute, steppedClock } from '../options/policy-fixtures.js'

/** The bytes of the answer to a request, but for what is random or of the time. */
async function rawAnswer(app: FastifyInstance, head: string): Promise<string> {
  const { port } = app.server.address() as AddressInfo
  const socket = connect(port, '127.0.0.1')
  socket.write(`${head}\r\nHost: x\r\nConnection: close\r\n\r\n`)
  let text = ''
  socket.setEncoding('latin1').on('data', (chunk) => {
    text += chunk
  })
  await once(socket, 'close')
  return text
    .replace(/(?<![\w-])[\w-]{22}(?:\.[\w-]{43})?(?![\w-])/g, 'random')
    .replace(/^Date: .*$/im, 'Date')
}

/** Every kind of answer that gosesh has a part in. */
async function rawAnswers(t: Test, options: GoseshOptions): Promise<Record<string, string>> {
  const app = buildApp(t, { clock: steppedClock(), ...options })
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { cookie } = await signIn(app)
  const answers: Record<string, string> = {}
  for (const line of [
    'POST /login',
    'GET /whoami',
    'GET /me',
    'GET /health',
    'GET /nowhere',
    'POST /auth/device-key',
    'POST /confirm',
  ]) {
    answers[line] = await rawAnswer(app, `${line} HTTP/1.1`)
    if (line === 'POST /login' || line === 'POST /confirm') continue
    answers[`${line} with a session`] = await rawAnswer(app, `${line} HTTP/1.1\r\nCookie: ${cookie}`)
  }
  answers.confirmed = await rawAnswer(app, `POST /confirm HTTP/1.1\r\nCookie: ${cookie}`)
  const again = await signIn(app)
  answers.out = await rawAnswer(app, `POST /logout HTTP/1.1\r\nCookie: ${again.cookie}`)
  return answers
}

t.test('off, no byte of an answer is another, and on, only the offer is added', async (t) => {
  const off = await rawAnswers(t, {})
  t.same(await rawAnswers(t, { deviceBinding: false }), off)
  const on = await rawAnswers(t, { deviceBinding })
  for (const [what, raw] of Object.entries(off)) {
    t.notMatch(raw, /secure-session|-bound|device-key"/i, what)
    if (what.startsWith('POST /auth/device-key')) continue
    t.equal(on[what]?.replace(/secure-session-registration: .*\r\n/i, ''), raw, what)
  }
  const offered = Object.keys(on).filter((what) => /secure-session-registration/i.test(String(on[what])))
  t.same(offered, ['POST /login', 'confirmed'])
})

t.test('an ordinary request of a bound session is one read, no write, and no Set-Cookie', async (t) => {
  for (const tracking of [{ activityTracking: {} }, {}]) {
    const store = new WatchedStore()
    const clock = steppedClock()
    const app = buildApp(t, { store, clock, deviceBinding, ...tracking })
    const device = await FakeDevice.create(app)
    await device.bind()
    clock.forward(minute)
    await device.get('/me')
    store.reset()
    for (const url of ['/me', '/whoami', '/poll']) {
      const { statusCode, headers } = await device.get(url)
      t.equal(statusCode, 200)
      t.equal(headers['set-cookie'], undefined)
    }
    t.same(store.counts, { getSession: 3 })
  }
})
