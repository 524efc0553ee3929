import { request as httpRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { bearerCredential, cookieCredential } from '../../../lib/index.js'
import { buildApp } from '../../tools/app.js'
import { WatchedStore } from '../../tools/store.js'

t.test('the bearer token', async (t) => {
  t.test('is read by RFC 6750, the scheme in any case', async (t) => {
    const app = buildApp(t, { credentials: [bearerCredential()] })
    await app.ready()
    const created = await app.gosesh.createSession('ada')
    for (const authorization of [
      `Bearer ${created.token}`,
      `bearer ${created.token}`,
      `BEARER ${created.token}`,
      `Bearer   ${created.token}`,
    ]) {
      t.equal((await app.inject({ url: '/me', headers: { authorization } })).json().userId, 'ada')
    }
  })

  t.test('counts only in one header', async (t) => {
    const store = new WatchedStore()
    const app = buildApp(t, { store, credentials: [bearerCredential()] })
    await app.listen({ port: 0 })
    const created = await app.gosesh.createSession('ada')
    store.reset()
    const statusOf = (headers: string[]): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        const { port } = app.server.address() as AddressInfo
        const request = httpRequest({ port, path: '/me', headers, agent: false }, (response) => {
          response.resume()
          resolve(response.statusCode)
        })
        request.on('error', reject)
        request.end()
      })
    const header = ['host', 'localhost', 'authorization', `Bearer ${created.token}`]
    t.equal(await statusOf(header), 200)
    store.reset()
    t.equal(await statusOf([...header, 'Authorization', `Bearer ${created.token}`]), 401)
    t.same(store.counts, {})
  })

  t.test('has no idle limit and lives 30 days', async (t) => {
    const app = buildApp(t, { credentials: [cookieCredential(), bearerCredential()] })
    await app.ready()
    const { session } = await app.gosesh.createSession('ada')
    t.match(session, { idleTimeout: null, idleDeadline: null })
    t.equal(session.absoluteDeadline.getTime() - session.createdAt.getTime(), 30 * 86_400_000)
  })

  t.test('cannot be written: signIn says what to use', async (t) => {
    const app = buildApp(t, { credentials: [bearerCredential()] })
    const response = await app.inject({ method: 'POST', url: '/login', body: {} })
    t.match(response.json(), {
      statusCode: 500,
      code: 'GOSESH_ERR_CREDENTIAL_NOT_WRITABLE',
      message: /app\.gosesh\.createSession/,
    })
  })
})
