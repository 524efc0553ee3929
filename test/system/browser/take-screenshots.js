// @ts-check
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { TOTP } from 'otpauth'
import { withPalette } from './palette-png.js'
import { isLive, launchChromium, phone, signIn, startExample } from './scene.js'

const folder = new URL('../../../docs/screenshots/', import.meta.url)
const minute = 60_000
const firefox = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:148.0) Gecko/20100101 Firefox/148.0'

/** The ports that people see with `npm start`. */
const ports = { port: '3000', providerPort: '3001' }

/** @typedef {import('playwright-core').Page} Page */

/**
 * One page at both widths, light and dark.
 *
 * @param {Page} page
 * @param {string} name
 */
async function shoot(page, name) {
  for (const [width, height] of /** @type {const} */ ([
    [360, 740],
    [1440, 900],
  ])) {
    await page.setViewportSize({ width, height })
    for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
      await page.emulateMedia({ colorScheme })
      const picture = await page.screenshot({ fullPage: true, animations: 'disabled', caret: 'hide' })
      await writeFile(new URL(`${name}-${width}-${colorScheme}.png`, folder), withPalette(picture))
    }
  }
}

/**
 * The user's other devices, used a while ago.
 *
 * @param {Awaited<ReturnType<typeof startExample>>} example
 * @param {(options?: object) => Promise<Page>} newPage
 */
async function addDevices({ app, clock }, newPage) {
  const desktop = await newPage({ userAgent: firefox })
  await desktop.goto('/')
  await signIn(desktop)
  await isLive(desktop)
  const { id } = /** @type {{ id: string }} */ (
    await desktop.evaluate(async () => (await fetch('/api/me')).json())
  )
  clock.advance(47 * minute)
  await app.gosesh.createSession(id, { metadata: { device_client: 'example-cli' } })
  // The last request of the first one, before it is idle for too long.
  clock.advance(-20 * minute)
  await desktop.reload()
  await isLive(desktop)
  clock.advance(24 * minute)
  const mobile = await newPage({ userAgent: phone })
  await mobile.goto('/')
  await signIn(mobile)
  await isLive(mobile)
  clock.advance(4 * minute)
  return mobile
}

/**
 * @param {Page} page
 * @param {string} origin
 */
async function shootDevicePages(page, origin) {
  const started = await fetch(`${origin}/auth/device/code`, {
    method: 'POST',
    body: new URLSearchParams({ client_id: 'example-cli' }),
  })
  const { user_code: code } = /** @type {{ user_code: string }} */ (await started.json())
  await page.goto(`/auth/device?user_code=${code}`)
  await shoot(page, 'device-code')
  await page.getByRole('button', { name: 'Continue' }).click()
  await shoot(page, 'device-confirm')
  await page.getByRole('button', { name: 'Allow' }).click()
  await page.getByRole('heading', { name: 'You allowed the device' }).waitFor()
  await shoot(page, 'device-allowed')
}

/**
 * @param {Page} page
 * @param {{ now(): number }} clock
 */
async function shootSecondFactor(page, clock) {
  await page.goto('/security/set-up')
  const secret = String(await page.locator('pre').first().textContent()).replaceAll(' ', '')
  await page.getByLabel('Code of six digits').fill(new TOTP({ secret }).generate({ timestamp: clock.now() }))
  await page.getByRole('button', { name: 'Turn it on' }).click()
  await page.waitForURL('**/security')
  await shoot(page, 'security')
  await page.goto('/security/code')
  await shoot(page, 'security-code')
}

/**
 * @param {Page} page
 * @param {import('gosesh').SessionStore} store
 */
async function shootOutage(page, store) {
  const { getSession } = store
  store.getSession = async () => Promise.reject(new Error('An outage'))
  await page.goto('/account')
  await shoot(page, 'outage')
  store.getSession = getSession
}

/**
 * @param {Awaited<ReturnType<typeof startExample>>} example
 * @param {(options?: object) => Promise<Page>} newPage
 */
async function shootAll(example, newPage) {
  const { app, clock, origin } = example
  const mobile = await addDevices(example, newPage)
  const page = await newPage()
  await page.goto('/note')
  await page.getByLabel('A note to yourself').fill('The tablet is with Byron until Friday')
  await page.getByRole('button', { name: 'Sign in and save' }).click()
  await page.getByRole('status').waitFor()
  await page.goto('/')
  await shoot(page, 'home')
  await page.getByRole('link', { name: 'Sign in' }).click()
  await shoot(page, 'provider')
  await page.getByRole('button', { name: 'Cancel' }).click()
  await page.getByRole('heading', { name: 'You cancelled signing in' }).waitFor()
  await shoot(page, 'cancelled')
  await page.goto('/auth/local')
  await page.getByRole('button', { name: 'Sign in as Ada Lovelace' }).click()
  await page.waitForURL('**/account')
  await shoot(page, 'account')
  await page.goto('/profile')
  await shoot(page, 'name')
  await page.goto('/note')
  await shoot(page, 'note')
  await shootDevicePages(page, origin)
  await shootSecondFactor(page, clock)
  clock.advance(8 * minute)
  await page.goto('/profile')
  await shoot(page, 'confirm')
  await page.getByRole('link', { name: 'Confirm with Local Sign-in' }).click()
  await shoot(page, 'provider-password')
  await page.goto('/account')
  await page.getByRole('link', { name: 'Sign out all others' }).click()
  await page.getByRole('heading', { name: 'Sign out all others?' }).waitFor()
  await shoot(page, 'confirm-sign-out')
  await page.getByRole('button', { name: 'Sign out all others' }).click()
  await mobile.getByRole('heading', { name: 'You are signed out' }).waitFor()
  await shoot(mobile, 'signed-out-elsewhere')
  await mobile.goto('/nowhere')
  await shoot(mobile, 'error')
  await shootOutage(page, app.gosesh.store)
  await page.goto('/account')
  await page.getByRole('button', { name: 'Sign out here and at the provider' }).click()
  await page.getByRole('heading', { name: 'Sign out here, too?' }).waitFor()
  await shoot(page, 'provider-sign-out')
  await page.getByRole('button', { name: 'Yes, sign out' }).click()
  await page.waitForURL('**/signed-out')
  await shoot(page, 'signed-out')
}

await rm(folder, { recursive: true, force: true })
await mkdir(folder, { recursive: true })
const example = await startExample({ ...ports, startAt: new Date('2026-03-02T09:12:00Z') })
const browser = await launchChromium()
try {
  await shootAll(example, async (options = {}) => {
    const common = { baseURL: example.origin, locale: 'en-GB', timezoneId: 'UTC' }
    const context = await browser.newContext({ ...common, ...options })
    return await context.newPage()
  })
} finally {
  await browser.close()
  await example.stop()
}
