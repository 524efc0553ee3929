import t from 'tap'
import { errorCodes, FlushError, GoseshError, isGoseshError } from '../../../lib/core/errors.js'
import { buildApp, signIn } from '../../tools/app.js'
import { WatchedStore } from '../../tools/store.js'

t.test('the whole list of codes', async (t) => {
  t.same(errorCodes, [
    'GOSESH_ERR_ACTIVITY_TIME',
    'GOSESH_ERR_CREDENTIAL_NOT_WRITABLE',
    'GOSESH_ERR_CROSS_ORIGIN',
    'GOSESH_ERR_DATA_KEY',
    'GOSESH_ERR_DATA_TOO_LARGE',
    'GOSESH_ERR_DATA_VALUE',
    'GOSESH_ERR_DEVICE_PROOF',
    'GOSESH_ERR_FACTOR_MISSING',
    'GOSESH_ERR_FLUSH',
    'GOSESH_ERR_METADATA',
    'GOSESH_ERR_NOT_READY',
    'GOSESH_ERR_NOT_REGISTERED',
    'GOSESH_ERR_OAUTH_ACCESS_DENIED',
    'GOSESH_ERR_OAUTH_PEER_MISSING',
    'GOSESH_ERR_OAUTH_PROVIDER',
    'GOSESH_ERR_OAUTH_PROVIDER_UNAVAILABLE',
    'GOSESH_ERR_OAUTH_REFUSED',
    'GOSESH_ERR_OAUTH_REQUEST',
    'GOSESH_ERR_OAUTH_TOO_MANY_ATTEMPTS',
    'GOSESH_ERR_OAUTH_TRANSACTION',
    'GOSESH_ERR_OAUTH_USER_CODE',
    'GOSESH_ERR_OAUTH_VERIFICATION',
    'GOSESH_ERR_OPTION',
    'GOSESH_ERR_REGISTERED_TWICE',
    'GOSESH_ERR_REPLY_SENT',
    'GOSESH_ERR_SESSION_EXISTS',
    'GOSESH_ERR_SESSION_ID',
    'GOSESH_ERR_SIGN_IN_NOT_RECENT',
    'GOSESH_ERR_STORE_CAPABILITY',
    'GOSESH_ERR_STORE_FULL',
    'GOSESH_ERR_STORE_SCHEMA',
    'GOSESH_ERR_STORE_UNAVAILABLE',
    'GOSESH_ERR_TOO_MANY_SESSIONS',
    'GOSESH_ERR_UNAUTHENTICATED',
    'GOSESH_ERR_USER_ID',
  ])
})

t.test('an error carries its code, its status and its cause', async (t) => {
  const cause = new Error('connection refused')
  const error = new GoseshError('GOSESH_ERR_STORE_UNAVAILABLE', { cause })
  t.match(error, { name: 'GoseshError', code: 'GOSESH_ERR_STORE_UNAVAILABLE', statusCode: 503, cause })
  t.ok(error instanceof Error)
  t.notOk('cause' in new GoseshError('GOSESH_ERR_OPTION'), 'no cause where there is none')
})

t.test('a FlushError says how many sessions the batch had', async (t) => {
  const cause = new Error('deadlock')
  t.match(new FlushError(12, cause), { name: 'FlushError', code: 'GOSESH_ERR_FLUSH', batchSize: 12, cause })
})

t.test('an error of another copy of gosesh is one, and nothing else', async (t) => {
  const copy: typeof import('../../../lib/core/errors.js') = await t.mockImport(
    '../../../lib/core/errors.js',
    {},
  )
  t.not(copy.GoseshError, GoseshError)
  for (const code of errorCodes) t.ok(isGoseshError(new copy.GoseshError(code)), code)
  t.ok(isGoseshError(new GoseshError('GOSESH_ERR_OPTION')))
  const withCode = (code: unknown, statusCode: unknown) =>
    Object.assign(new Error('none'), { code, statusCode })
  for (const error of [
    new Error('none'),
    withCode('ECONNREFUSED', 500),
    withCode('toString', 500),
    withCode('GOSESH_ERR_OPTION', undefined),
    withCode(42, 500),
    { code: 'GOSESH_ERR_OPTION', statusCode: 500 },
    null,
    undefined,
  ]) {
    t.notOk(isGoseshError(error))
  }
})

t.test('what a store of another copy of gosesh rejects with is answered as its own', async (t) => {
  const copy: typeof import('../../../lib/core/errors.js') = await t.mockImport(
    '../../../lib/core/errors.js',
    {},
  )
  const store = new WatchedStore()
  const app = buildApp(t, { store })
  const { cookie } = await signIn(app)
  store.fail('getSession', new copy.GoseshError('GOSESH_ERR_STORE_SCHEMA'))
  const response = await app.inject({ url: '/whoami', headers: { cookie } })
  t.equal(response.statusCode, 500)
  t.equal(response.json().code, 'GOSESH_ERR_STORE_SCHEMA')
  store.off('getSession')
  store.fail('createSession', new copy.GoseshError('GOSESH_ERR_SESSION_EXISTS'))
  await t.rejects(app.gosesh.createSession('ada'), { code: 'GOSESH_ERR_STORE_UNAVAILABLE' })
  store.fail('createSession', new copy.GoseshError('GOSESH_ERR_STORE_FULL'))
  await t.rejects(app.gosesh.createSession('ada'), { code: 'GOSESH_ERR_STORE_FULL' })
})
