import { once } from 'node:events'
import { connect } from 'node:net'
import t from 'tap'
import { signIn, whoami } from '../../tools/app.js'
import { settle } from '../../tools/clock.js'
import { setUp } from './reauthenticate-fixtures.js'

t.test('a client that hangs up before it has the new token goes on with the old one', async (t) => {
  for (const [when, times] of [
    ['during the update', 1],
    ['once the cookie is written', 2],
  ] as const) {
    const { app, store } = setUp(t)
    app.post('/twice', async (_request, reply) => {
      await reply.reauthenticate({ factors: ['otp'] })
      return await reply.reauthenticate({ factors: ['hwk'] })
    })
    let gone = (): void => {}
    const hungUp = new Promise<void>((resolve) => {
      gone = resolve
    })
    app.addHook('onRequest', async (request) => void request.raw.socket.once('close', () => gone()))
    await app.listen({ port: 0, host: '127.0.0.1' })
    const { cookie, session } = await signIn(app)
    let calls = 0
    store.on('updateSession', async (proceed) => {
      const result = await proceed()
      if (++calls === times) {
        client.destroy()
        await hungUp
        await settle()
      }
      return result
    })
    const client = connect((app.server.address() as { port: number }).port, '127.0.0.1')
    client.write(`POST /twice HTTP/1.1\r\nHost: localhost\r\nCookie: ${cookie}\r\nContent-Length: 0\r\n\r\n`)
    while (calls <= times) await settle()
    await settle(50)
    t.match(await whoami(app, cookie), { id: session.id, factors: [] }, when)
    t.same((await store.getSession(session.id))?.details, null, when)
  }
})

t.test('a client that hangs up after two re-authentications goes on with its token too', async (t) => {
  const { app, store } = setUp(t)
  app.post('/twice', async (request, reply) => {
    await reply.reauthenticate({ factors: ['otp'] })
    await reply.reauthenticate({ factors: ['hwk'] })
    const gone = once(request.raw.socket, 'close')
    client.destroy()
    await gone
    return {}
  })
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { cookie, session } = await signIn(app)
  const client = connect((app.server.address() as { port: number }).port, '127.0.0.1')
  client.write(`POST /twice HTTP/1.1\r\nHost: localhost\r\nCookie: ${cookie}\r\nContent-Length: 0\r\n\r\n`)
  while ((store.counts.updateSession ?? 0) < 4) await settle()
  await settle(50)
  t.match(await whoami(app, cookie), { id: session.id, factors: [] })
})

t.test('calls on a reply that was sent, or whose client is gone, change nothing', async (t) => {
  const { app } = setUp(t)
  app.post('/sent', async (_request, reply) => {
    await reply.send({})
    await t.rejects(reply.reauthenticate(), { code: 'GOSESH_ERR_REPLY_SENT' })
  })
  const { cookie } = await signIn(app)
  await app.inject({ method: 'POST', url: '/sent', headers: { cookie } })
  t.ok(await whoami(app, cookie))
})
