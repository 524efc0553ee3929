import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { devices } from '../../../examples/recipes/devices.js'
import gosesh from '../../../lib/index.js'
import { signInAs } from '../../../lib/testing/index.js'

function appWithDevices(t: Test) {
  const app = Fastify()
  t.teardown(() => app.close())
  app.register(gosesh, { activityTracking: {} })
  app.register(devices)
  return app
}

t.test('a user lists, renames and ends their own devices', async (t) => {
  const app = appWithDevices(t)
  const laptop = await signInAs(app, 'ada')
  const phone = await signInAs(app, 'ada', { metadata: { deviceName: 'Phone', agent: 'Firefox' } })
  const url = `/devices/${phone.session.id}`
  const rename = (name: string) => laptop.inject({ method: 'PATCH', url, body: { name } })
  t.equal((await rename(' Old phone ')).statusCode, 204)
  const listed = (await laptop.inject('/devices')).json()
  t.match(
    listed.find(({ id }: { id: string }) => id === phone.session.id),
    { name: 'Old phone', current: false },
  )
  t.match(
    listed.find(({ id }: { id: string }) => id === laptop.session.id),
    { name: null, current: true },
  )
  t.equal((await rename('')).statusCode, 204)
  t.same((await app.gosesh.getSession(phone.session.id))?.metadata, { agent: 'Firefox' })
  t.equal((await phone.inject('/devices')).statusCode, 200, 'with the token that it has')
  t.equal((await laptop.inject({ method: 'DELETE', url })).statusCode, 204)
  t.equal((await phone.inject('/devices')).statusCode, 401)
  for (const method of ['PATCH', 'DELETE'] as const) {
    t.equal((await laptop.inject({ method, url, body: { name: 'x' } })).statusCode, 404, method)
  }
})

t.test('nobody renames or ends the device of somebody else', async (t) => {
  const app = appWithDevices(t)
  const ada = await signInAs(app, 'ada', { metadata: { deviceName: 'Laptop' } })
  const bo = await signInAs(app, 'bo')
  for (const method of ['PATCH', 'DELETE'] as const) {
    const url = `/devices/${ada.session.id}`
    t.equal((await bo.inject({ method, url, body: { name: 'Mine' } })).statusCode, 404, method)
    t.equal((await app.inject({ method, url, body: { name: 'Mine' } })).statusCode, 401, method)
  }
  t.equal((await app.gosesh.getSession(ada.session.id))?.metadata?.deviceName, 'Laptop')
  t.equal((await bo.inject({ method: 'PATCH', url: '/devices/x', body: {} })).statusCode, 400)
})
