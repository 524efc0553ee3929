import Fastify from 'fastify'
import type { Browser, Page } from 'playwright-core'
import t, { type Test } from 'tap'
import gosesh, { bearerCredential, cookieCredential } from '../../../lib/index.js'
import { oauth, oidc } from '../../../lib/oauth/index.js'
import { addRoutes, signIn } from '../../tools/app.js'
import { complaintsOf, faintTexts, hasFocus, looksOf } from './checks.js'
import { hasChromium, launchChromium } from './scene.js'

/** Pages of gosesh/oauth without a look of the application's, and a browser in which somebody is signed in. */
async function start(t: Test): Promise<{ origin: string; browser: Browser; cookie: string }> {
  const app = Fastify()
  t.teardown(() => app.close())
  const fetch = async () => Promise.reject(new TypeError('fetch failed'))
  const acme = oidc({ issuer: 'https://login.acme.example', clientId: 'app', fetch })
  const deviceAuthorization = {
    devicesPage: '/devices',
    account: () => 'ada.lovelace@analytical-engine.example',
  }
  await app.register(gosesh, { credentials: [bearerCredential(), cookieCredential()] })
  await app.register(oauth, {
    origin: 'http://localhost',
    providers: { acme },
    signInPage: '/',
    deviceAuthorization,
  })
  addRoutes(app)
  const { cookie } = await signIn(app)
  const address = await app.listen({ host: '127.0.0.1', port: 0 })
  const browser = await launchChromium()
  t.teardown(() => browser.close())
  return { origin: address.replace('127.0.0.1', 'localhost'), browser, cookie }
}

async function look(t: Test, page: Page): Promise<void> {
  for (const width of [360, 1440]) {
    await page.setViewportSize({ width, height: 780 })
    t.same(await complaintsOf(page), [], `${await page.title()} at ${width}`)
  }
  t.same(await faintTexts(page), [], await page.title())
}

async function startDevice(origin: string): Promise<string> {
  const response = await fetch(`${origin}/auth/device/code`, { method: 'POST' })
  return ((await response.json()) as { user_code: string }).user_code
}

t.test('the built-in pages in a browser', { skip: !hasChromium && 'there is no chromium' }, async (t) => {
  const { origin, browser, cookie } = await start(t)
  for (const colorScheme of ['light', 'dark'] as const) {
    const context = await browser.newContext({ baseURL: origin, colorScheme })
    const page = await context.newPage()
    const violations: string[] = []
    page.on('console', (message) => {
      if (/Content.Security.Policy/i.test(message.text())) violations.push(message.text())
    })
    /** Does what sends a form, and waits for the page that answers. */
    const send = (act: () => Promise<void>) => Promise.all([page.waitForNavigation(), act()])
    await page.goto('/auth/acme/callback')
    await look(t, page)

    const [name = '', value = ''] = cookie.split('=')
    await context.addCookies([{ name, value, domain: 'localhost', path: '/', secure: true }])
    await page.goto('/auth/device')
    await look(t, page)
    t.equal(await hasFocus(page, '#user_code'), true)
    await page.keyboard.type('BBBB-BBBB')
    await send(() => page.keyboard.press('Enter'))
    await look(t, page)
    await page.locator('#user_code').fill(await startDevice(origin))
    await send(() => page.keyboard.press('Enter'))
    await page.locator('.code').waitFor()
    await look(t, page)
    const [deny, allow] = await looksOf(page, 'button')
    t.match(deny, { height: 48 }, 'the stylesheet applies')
    t.same(deny, allow)
    t.equal(await hasFocus(page, 'body'), true)
    for (const button of ['Allow', 'Undo']) {
      await send(() => page.getByRole('button', { name: button }).click())
      await look(t, page)
    }
    t.same(violations, [])
  }
})
