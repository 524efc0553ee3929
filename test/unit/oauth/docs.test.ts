import { readFile } from 'node:fs/promises'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { errorCodes, GoseshError } from '../../../lib/core/errors.js'
import gosesh from '../../../lib/index.js'
import * as exported from '../../../lib/oauth/index.js'
import { type OAuthProvider, oauth, oauth2, oidc, type ProviderOptions } from '../../../lib/oauth/index.js'
import { parseSettings } from '../../../lib/oauth/options.js'

const page = await readFile(new URL('../../../docs/oauth.md', import.meta.url), 'utf8')
const acme = oidc({
  issuer: 'https://login.acme.example',
  clientId: 'app',
  fetch: async () => {
    throw new TypeError('fetch failed')
  },
})
const required = { origin: 'https://app.example', providers: { acme } }

/** The rows of the first table after this text, as cells without their backquotes. */
function tableAfter(text: string): string[][] {
  const start = page.indexOf(text)
  if (start < 0) throw new Error(`docs/oauth.md does not say: ${text}`)
  const [table = ''] = /(?:^\|.*\n)+/m.exec(page.slice(start)) ?? []
  const rows = table.trim().split('\n').slice(2)
  return rows.map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim().replace(/^`(.*)`$/, '$1')),
  )
}

/** Holds the documented names, and each default that is a plain value, to the real ones. */
function checkOptions(t: Test, heading: string, real: object): void {
  const documented = Object.fromEntries(tableAfter(heading).map(([name = '', value = '']) => [name, value]))
  t.same(Object.keys(documented).sort(), Object.keys(real).sort(), heading)
  for (const [name, value] of Object.entries(real)) {
    if (['number', 'boolean'].includes(typeof value)) t.equal(documented[name], String(value), name)
    if (Array.isArray(value) && value.length === 0) t.equal(documented[name], '[]', name)
  }
}

t.test('the documented options are the real ones', async (t) => {
  const settings = parseSettings({ ...required, deviceAuthorization: true }, '')
  const off = parseSettings(required, '')
  checkOptions(t, '## Options', {
    ...settings,
    deviceAuthorization: off.deviceAuthorization !== null,
  })
  const defaults = Object.fromEntries(tableAfter('## Options'))
  for (const name of ['prefix', 'defaultPage', 'signOutPage'] as const)
    t.equal(defaults[name], settings[name])
  t.match(page, `{ name: '${settings.cookie.name}', secure: ${settings.cookie.secure} }`)
  checkOptions(t, '### Devices without a browser', settings.deviceAuthorization as object)
})

t.test('the documented options of a provider are the real ones', async (t) => {
  const { kind, allowInsecure, maxAge: _, ...provider } = acme
  const own = { ...provider, dangerouslyAllowInsecureIssuer: allowInsecure }
  const common = tableAfter('Every provider takes:').map(([name = '']) => name)
  const isCommon = ([name]: [string, unknown]) => common.includes(name)
  const entries = Object.entries(own)
  checkOptions(t, 'Every provider takes:', Object.fromEntries(entries.filter(isCommon)))
  const besides = entries.filter((entry) => !isCommon(entry))
  checkOptions(t, '`oidc` takes besides:', Object.fromEntries(besides))
  t.equal(kind, 'oidc')
  for (const [, name = ''] of page.matchAll(/`(dangerously\w+)`/g)) {
    const message = new RegExp(`Option \\w+\\.${name}`)
    const make = name.endsWith('Issuer') ? oidc : oauth2
    t.throws(() => make({ [name]: 1 } as never), { code: 'GOSESH_ERR_OPTION', message })
  }
})

t.test('the documented providers are the real ones', async (t) => {
  const rows = tableAfter('## Providers')
  const { oauth: _plugin, oauth2: _oauth2, oidc: _oidc, defaultTexts: _texts, ...readyMade } = exported
  const makers: Readonly<Record<string, (client: ProviderOptions) => OAuthProvider>> = readyMade
  t.same(rows.map(([name]) => name).sort(), Object.keys(makers).sort())
  for (const [name = '', protocol = '', scope = ''] of rows) {
    const kind = protocol === 'OpenID' ? 'oidc' : 'oauth2'
    t.match(makers[name]?.({ clientId: 'c' }), { kind, scope }, name)
  }
})

t.test('the documented routes are the real ones', async (t) => {
  const app = Fastify()
  t.teardown(() => app.close())
  const routes: string[] = []
  app.addHook('onRoute', ({ method, url, schema }) => {
    if ((schema as { hide?: boolean } | undefined)?.hide) return
    const path = url.replace(/\/(?:acme|posting)(?=\/|$)/, '/:provider')
    for (const name of [method].flat()) routes.push(`${name} ${path}`)
  })
  await app.register(gosesh)
  const issuer = 'https://login.acme.example'
  const posting = oidc({ issuer, clientId: 'app', responseMode: 'form_post', idTokenExchange: true })
  const providers = { acme, posting }
  await app.register(oauth, {
    ...required,
    providers,
    signInPage: '/',
    deviceAuthorization: true,
    backchannelLogout: true,
  })
  t.same(
    tableAfter('## Routes')
      .map(([route]) => route)
      .sort(),
    [...new Set(routes)].sort(),
  )
})

t.test('every error code is documented, with its status', async (t) => {
  const rows = tableAfter('## Errors')
  const codes = errorCodes.filter((code) => code.startsWith('GOSESH_ERR_OAUTH_'))
  t.same(rows.map(([code]) => code).sort(), codes)
  for (const [code = '', status] of rows) {
    t.equal(status, String(new GoseshError(code as (typeof codes)[number]).statusCode), code)
  }
})

t.test('every link within the page has its heading', async (t) => {
  const anchors = [...page.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading.toLowerCase().replaceAll(' ', '-'),
  )
  const links = [...page.matchAll(/\]\(#([^)]+)\)/g)].map(([, anchor = '']) => anchor)
  t.ok(links.length > 0)
  for (const link of links) t.ok(anchors.includes(link), link)
})
