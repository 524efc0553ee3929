import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import t, { type Test } from 'tap'
import { buildApp } from '../../tools/app.js'
import { deviceBinding, FakeDevice, sign } from '../../tools/device-key.js'
import { recordingLogger } from '../../tools/logger.js'
import { WatchedStore } from '../../tools/store.js'
import { minute, steppedClock } from '../options/policy-fixtures.js'

function published(t: Test, channel: string): unknown[] {
  const messages: unknown[] = []
  const listener = (message: unknown): void => void messages.push(message)
  subscribe(channel, listener)
  t.teardown(() => unsubscribe(channel, listener))
  return messages
}

t.test('registrations, refreshes and refusals are published and logged, with reasons', async (t) => {
  const registrations = published(t, 'gosesh:device-registration')
  const refreshes = published(t, 'gosesh:device-refresh')
  const refusals = published(t, 'gosesh:device-refusal')
  const store = new WatchedStore()
  const clock = steppedClock()
  const logger = recordingLogger()
  const app = buildApp(t, { deviceBinding, store, clock, logger })
  app.get('/bound', { config: { session: { deviceBound: true } } }, async () => 'in')
  const device = await FakeDevice.create(app)
  const { session, challenge } = await device.signIn()
  const { id: sessionId, userId } = session
  await device.get('/bound')
  const proof = await sign(device.key, challenge)
  await device.register('x')
  store.fail('updateSession')
  await device.register(proof)
  store.off('updateSession')
  await device.register(proof)
  await device.refresh(sessionId)
  await device.askRefresh(sessionId, { 'secure-session-response': 'x' })
  const bound = device.bound
  clock.forward(minute)
  for (const value of ['', '__Host-session-bound=x']) {
    device.bound = value
    await device.get('/me')
  }
  device.bound = ''
  await device.get('/me', { 'secure-session-skipped': 'unreachable' })
  device.bound = bound
  clock.forward(10 * minute)
  await device.get('/me')
  const durationMs = Number
  t.match(registrations, [
    { outcome: 'refused', reason: 'proof', sessionId: null, durationMs, error: null },
    { outcome: 'failed', reason: null, sessionId: null, error: { code: 'GOSESH_ERR_STORE_UNAVAILABLE' } },
    { outcome: 'accepted', reason: null, sessionId, error: null },
  ])
  t.match(refreshes, [
    { outcome: 'refused', reason: 'challenged', sessionId },
    { outcome: 'accepted', reason: null, sessionId },
    { outcome: 'refused', reason: 'proof', sessionId },
  ])
  t.same(
    refusals,
    ['unbound', 'none', 'wrong', 'unreachable', 'expired'].map((reason) => ({ reason, sessionId, userId })),
  )
  const lines = logger.lines.filter(({ details }) => String(details.event).startsWith('gosesh:device'))
  t.match(
    lines.map(({ level, details }) => ({ level, ...details })),
    [
      { level: 'info', event: 'gosesh:device-refused', reason: 'unbound' },
      { event: 'gosesh:device-key-refused', sessionId: null, reason: 'proof' },
      { event: 'gosesh:device-bound', sessionId },
      { event: 'gosesh:device-key-refused', sessionId, reason: 'proof' },
      { event: 'gosesh:device-refused', reason: 'none', sessionId, userId },
      { event: 'gosesh:device-refused', reason: 'wrong' },
      { event: 'gosesh:device-refused', reason: 'unreachable' },
      { event: 'gosesh:device-refused', reason: 'expired' },
    ],
  )
  const text = JSON.stringify(logger.lines)
  for (const secret of [proof, bound.split('=')[1], deviceBinding.secret])
    t.notOk(text.includes(String(secret)))
})
