import t from 'tap'
import { deviceBinding } from '../../tools/device-key.js'
import { setUp } from './compat-fixtures.js'

t.test('a new secret alone offers to bind nothing: whoever has the cookie gets one', async (t) => {
  const { run } = setUp(t, { deviceBinding })
  const offer = 'secure-session-registration'
  t.ok((await run((_request, reply) => reply.signIn('ada'))).headers[offer])
  const renewed = await run(async ({ session }) => {
    await session.regenerate()
    await session.save()
    return {}
  })
  t.match(renewed.headers['set-cookie'], /^__Host-session=[\w-]{22}\.[\w-]{43};/)
  t.equal(renewed.headers[offer], undefined)
  const proved = await run(async ({ session }, reply) => {
    await session.regenerate()
    await session.save()
    return await reply.reauthenticate()
  })
  t.ok(proved.headers[offer])
})
