import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { connect } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import websocket from '@fastify/websocket'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import t from 'tap'
import { WebSocket } from 'ws'
import type { CompatSession } from '../../../types/compat.js'
import { type Client, listen, slowStore } from './app.js'
import { dataOf } from './passport-app.js'

function routes(app: FastifyInstance): void {
  app.post('/set', async (request) => Object.assign(dataOf(request), request.body))
  app.get('/data', async (request) => ({ ...dataOf(request) }))
}

const dataFor = async (client: Client) => JSON.parse((await client.get('/data')).body)
const cookieFor = (client: Client) =>
  [...client.cookies].map(([name, value]) => `${name}=${value}`).join('; ')

/** Saves explicitly; resolves with `saved`, or with the code of the error. */
async function save(request: FastifyRequest): Promise<string> {
  const session = request.session as unknown as CompatSession
  return await session.save().then(
    () => 'saved',
    (error: { code: string }) => error.code,
  )
}

async function until(isTrue: () => boolean): Promise<void> {
  for (let tries = 0; !isTrue(); tries++) {
    if (tries > 1_000) throw new Error('waited too long')
    await wait(5)
  }
}

t.test('a client that hangs up between loading and saving', async (t) => {
  const store = slowStore()
  let [arrived, aborted, logged] = [0, 0, '']
  const { app, url, open } = await listen(
    t,
    (app) => {
      routes(app)
      app.addHook('onRequestAbort', async (_request) => void aborted++)
      app.addHook('onError', async (_request, _reply, error) => {
        logged = (error as Error & { code: string }).code
      })
      app.get('/slow', async (request, reply) => {
        arrived++
        const before = aborted
        await until(() => aborted > before)
        dataOf(request).late = 1
        return reply.send('read by nobody')
      })
    },
    { store },
  )
  const hangUp = async (headers: string) => {
    const before = arrived
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    socket.write(`GET /slow HTTP/1.1\r\nhost: app\r\n${headers}\r\n`)
    await until(() => arrived > before)
    socket.destroy()
  }
  const client = open()
  await client.post('/set', { a: '1' })
  await hangUp(`cookie: ${cookieFor(client)}\r\n`)
  await until(() => store.counts.writeData === 1)
  t.same(await dataFor(client), { a: '1', late: 1 }, 'what was there is changed')
  await hangUp('')
  await until(() => logged !== '')
  t.equal(logged, 'GOSESH_ERR_REPLY_SENT')
  t.equal(store.counts.createSession, 1, 'and nobody is made whose cookie nobody gets')
  t.ok(app.server.listening)
})

t.test('a file, HEAD and a missing page', async (t) => {
  const { app, url, open } = await listen(t, (app) => {
    routes(app)
    app.get('/file', async (request, reply) => {
      dataOf(request).downloads = Number(dataOf(request).downloads ?? 0) + 1
      return reply.type('text/plain').send(createReadStream(new URL(import.meta.url)))
    })
    app.setNotFoundHandler((request, reply) => {
      dataOf(request).missed = request.url
      return reply.code(404).send('missing')
    })
  })
  const client = open()
  t.match((await client.get('/file')).body, /a file, HEAD and a missing page/)
  const head = await fetch(`${url}/file`, { method: 'HEAD', headers: { cookie: cookieFor(client) } })
  t.match([head.status, await head.text()], [200, ''])
  t.match(await client.get('/nowhere'), { status: 404, body: 'missing' })
  t.same(await dataFor(client), { downloads: 2, missed: '/nowhere' })
  t.ok(app.server.listening)
})

t.test('a hijacked reply saves by itself', async (t) => {
  const { open } = await listen(t, (app) => {
    routes(app)
    app.get('/raw', async (request, reply) => {
      reply.hijack()
      dataOf(request).unsaved = 1
      reply.raw.end('raw')
    })
    app.get('/raw-late', async (request, reply) => {
      reply.hijack()
      dataOf(request).late = 1
      reply.raw.end(await save(request))
    })
  })
  const client = open()
  t.equal((await client.get('/raw')).body, 'raw')
  t.equal((await client.get('/raw-late')).body, 'GOSESH_ERR_REPLY_SENT', 'no cookie can be set any more')
  t.same(await dataFor(client), {})
  await client.post('/set', { a: '1' })
  await client.get('/raw')
  t.equal((await client.get('/raw-late')).body, 'saved', 'who has one needs no other')
  t.same(await dataFor(client), { a: '1', late: 1 })
})

t.test('a WebSocket has the session, and saves it by itself', async (t) => {
  const { url, open, app } = await listen(t, (app) => {
    app.register(websocket)
    app.register(async (sockets) => {
      routes(sockets)
      sockets.post('/sign-in', async (_request, reply) => (await reply.signIn('ada')).id)
      sockets.get('/socket', { websocket: true }, (socket, request) => {
        socket.on('message', async (text) => {
          const data = dataOf(request)
          data.said = [...((data.said as string[] | undefined) ?? []), String(text)]
          socket.send(await save(request))
        })
      })
    })
  })
  const say = async (client: Client, ...texts: string[]) => {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/socket`, {
      headers: { cookie: cookieFor(client) },
    })
    t.teardown(() => socket.terminate())
    await once(socket, 'open')
    const answers: string[] = []
    for (const text of texts) {
      socket.send(text)
      answers.push(String((await once(socket, 'message'))[0]))
    }
    socket.close()
    return answers
  }
  const [visitor, user, nobody] = [open(), open(), open()]
  await visitor.post('/set', { a: '1' })
  t.same(await say(visitor, 'one', 'two'), ['saved', 'saved'])
  t.same(await dataFor(visitor), { a: '1', said: ['one', 'two'] })
  const { body: id } = await user.post('/sign-in')
  t.same(await say(user, 'one'), ['saved'])
  t.same(await app.gosesh.sessionData(id).all(), { said: ['one'] })
  t.same(await say(nobody, 'one'), ['GOSESH_ERR_REPLY_SENT'])
})
