import { register } from 'node:module'
import t from 'tap'
import { buildApp } from '../../tools/app.js'

const hooks = `export async function resolve(specifier, context, next) {
  if (specifier !== 'jose') return await next(specifier, context)
  throw Object.assign(new Error("Cannot find package 'jose'"), { code: 'ERR_MODULE_NOT_FOUND' })
}`
register(`data:text/javascript,${encodeURIComponent(hooks)}`)

t.test('without jose start-up says what to install, and without the option it is not needed', async (t) => {
  const app = buildApp(t, { deviceBinding: { secret: 's'.repeat(32) } })
  await t.rejects(async () => await app.ready(), {
    code: 'GOSESH_ERR_OPTION',
    message: 'Option deviceBinding is {}; expected the package jose beside it; run npm install jose',
    cause: { code: 'ERR_MODULE_NOT_FOUND' },
  })
  await buildApp(t).ready()
})
