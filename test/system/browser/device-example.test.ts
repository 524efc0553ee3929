import t from 'tap'
import { buildApp } from '../../../examples/app/app.js'
import { readConfig } from '../../../examples/app/config.js'
import { openDatabase } from '../../../examples/app/database.js'
import { startLocalProvider } from '../../../examples/app/provider/local.js'
import { freePort } from '../../tools/ports.js'
import {
  boundName,
  certificate,
  cookieOf,
  newProfile,
  openBrowser,
  openPage,
  statusOf,
  until,
} from './device-fixtures.js'
import { hasChromium, howToGetChromium, signIn } from './scene.js'

if (!hasChromium) {
  if (process.env.CI === 'true') throw new Error(howToGetChromium)
  t.comment(`LEFT OUT: the example over https. ${howToGetChromium}`)
} else {
  t.test(
    'the example over https binds its sessions, shows it, and gives a download to them alone',
    async (t) => {
      const [PORT, PROVIDER_PORT] = [String(await freePort()), String(await freePort())]
      const config = readConfig({ HTTPS: '1', PORT, PROVIDER_PORT })
      const { origin, provider, host, port } = config
      t.equal(origin, `https://localhost:${PORT}`)
      t.teardown(await startLocalProvider(config))
      const database = await openDatabase(':memory:')
      const app = await buildApp({ origin, provider, database, https: certificate })
      t.teardown(() => app.close())
      await app.listen({ host, port })
      const context = await openBrowser(t, await newProfile(t))
      const { page, events } = await openPage(context)
      await page.goto(origin)
      await signIn(page, 'Ada Lovelace')
      await page.waitForURL('**/account')
      await until('the registration', () => events.find(({ creationEventDetails }) => creationEventDetails))
      await until('the cookie', () => cookieOf(context, origin, boundName))
      await page.reload()
      await page.getByText('Bound to this device’s key').waitFor()
      t.equal(await statusOf(page, '/export'), 200)
      const { token } = await app.gosesh.createSession('ada')
      const plain = { headers: { authorization: `Bearer ${token}` } }
      const refused = await app.inject({ url: '/export', ...plain })
      t.equal(refused.statusCode, 401)
      t.match(refused.body, /Not from this browser/)
      t.match((await app.inject({ url: '/account', ...plain })).body, /Download what is known of you/)
    },
  )
}
