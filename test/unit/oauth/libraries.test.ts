import { register } from 'node:module'
import Fastify from 'fastify'
import t from 'tap'
import gosesh from '../../../lib/index.js'

const hooks = `export async function resolve(specifier, context, next) {
  if (specifier !== 'openid-client') return await next(specifier, context)
  throw Object.assign(new Error("Cannot find package 'openid-client'"), { code: 'ERR_MODULE_NOT_FOUND' })
}`
register(`data:text/javascript,${encodeURIComponent(hooks)}`)

t.test('a bundle without its packages says at start-up what to install', async (t) => {
  const { google, oauth } = await import('../../../lib/oauth/index.js')
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(gosesh)
  const providers = { google: google({ clientId: 'a', clientSecret: 'b' }) }
  await t.rejects(async () => await app.register(oauth, { origin: 'https://app.example', providers }), {
    code: 'GOSESH_ERR_OAUTH_PEER_MISSING',
    message: 'gosesh/oauth needs two packages; run npm install openid-client jose',
    cause: { code: 'ERR_MODULE_NOT_FOUND' },
  })
})

t.test('an installed copy says so where it is imported', async (t) => {
  const { requireInstalled } = await import('../../../lib/oauth/providers/libraries.js')
  const asked: string[] = []
  const resolve = (name: string) => {
    asked.push(name)
    if (name === 'jose')
      throw Object.assign(new Error('Cannot find package'), { code: 'ERR_MODULE_NOT_FOUND' })
    return `file:///app/node_modules/${name}/index.js`
  }
  const url = 'file:///app/node_modules/gosesh/dist/lib/oauth/libraries.js'
  t.throws(() => requireInstalled({ url, resolve }), {
    code: 'GOSESH_ERR_OAUTH_PEER_MISSING',
    message: 'gosesh/oauth needs two packages; run npm install openid-client jose',
    cause: { code: 'ERR_MODULE_NOT_FOUND' },
  })
  t.same(asked, ['openid-client', 'jose'])
  requireInstalled({ url, resolve: (name) => name })
  requireInstalled({ url: 'file:///app/bundle.js', resolve })
  t.equal(asked.length, 2, 'what stands alone is not asked')
  requireInstalled({ url } as ImportMeta)
})
