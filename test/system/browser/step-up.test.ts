import { TOTP } from 'otpauth'
import type { Locator, Page } from 'playwright-core'
import t, { type Test } from 'tap'
import type { Session } from '../../../types/session.js'
import { complaintsOf, hasFocus } from './checks.js'
import {
  canBeRead,
  desktop,
  devicesOn,
  example,
  heading,
  minute,
  newDevice,
  path,
  press,
  requireChromium,
  signedIn,
  startAll,
  stopAll,
  textOf,
  violationsOf,
  withSession,
} from './example-fixtures.js'
import { isLive, phone } from './scene.js'

const step = 30_000

async function cookieOf(page: Page) {
  const cookies = await page.context().cookies(example.origin)
  const found = cookies.find(({ name }) => name === 'gosesh-example')
  if (found === undefined) throw new Error('there is no session cookie')
  return found
}

async function sessionOf(page: Page): Promise<Session> {
  const session = await example.app.gosesh.verifyToken((await cookieOf(page)).value, { activity: false })
  if (session === null) throw new Error('the cookie is of no session')
  return session
}

/** From the page that says why, to the provider, which asks for the password, and back. */
async function confirm(page: Page): Promise<void> {
  await page.getByRole('link', { name: 'Confirm with Local Sign-in' }).click()
  await page.getByLabel('Password').fill('example')
  await press(page, 'Confirm')
}

/** The row of the device that the page is on. */
function thisDevice(page: Page): Locator {
  return page.locator('.current')
}

async function rename(page: Page, device: Locator, name: string): Promise<void> {
  await device.getByText('Rename').click()
  await device.getByLabel('Name of the device').fill(name)
  await device.getByRole('button', { name: 'Save' }).click()
  await page.getByRole('status').waitFor()
}

/** Gives the secret on the page to an authenticator. */
async function authenticatorOf(page: Page): Promise<() => string> {
  const secret = (await textOf(page.locator('pre').first())).replaceAll(' ', '')
  const totp = new TOTP({ secret })
  return () => totp.generate({ timestamp: example.clock.now() })
}

/** Presses a button, and waits for the page that answers. */
async function pressAndWait(page: Page, name: string): Promise<void> {
  await Promise.all([page.waitForEvent('domcontentloaded'), press(page, name)])
}

async function typeCode(page: Page, code: string, button: string): Promise<void> {
  await page.getByLabel('Code of six digits').fill(code)
  await pressAndWait(page, button)
}

/** Sets a second factor up from the page that demands it. */
async function setUp(t: Test, page: Page): Promise<() => string> {
  await page.goto('/security')
  t.equal(await heading(page), 'Set up a second factor')
  const currentCode = await authenticatorOf(page)
  await typeCode(page, currentCode(), 'Turn it on')
  t.equal(await heading(page), 'Security')
  return currentCode
}

function inBrowser(): void {
  t.before(startAll)
  t.teardown(stopAll)

  t.test('what is sensitive wants a recent sign-in: the session is confirmed, and stays', async (t) => {
    const page = await signedIn(t, 'Ada Lovelace', { userAgent: desktop })
    await rename(page, thisDevice(page), 'Desk')
    await isLive(page)
    const tab = await page.context().newPage()
    await tab.goto('/profile')
    t.equal(await heading(tab), 'Your name')
    const [before, oldCookie] = [await sessionOf(page), await cookieOf(page)]
    example.clock.advance(6 * minute)
    await tab.getByRole('textbox', { name: 'Name to show' }).fill('Countess')
    await press(tab, 'Save')
    t.equal(await heading(tab), 'Confirm that it is you')
    t.match(await textOf(tab.locator('main')), /You last showed who you are 6 minutes ago.*left open/)

    await tab.getByRole('link', { name: 'Confirm with Local Sign-in' }).click()
    t.equal(await heading(tab), 'Type your password')
    t.equal(await hasFocus(tab, '#password'), true)
    await tab.keyboard.type('guessed')
    await tab.keyboard.press('Enter')
    t.equal(await textOf(tab.getByRole('alert')), 'That is not the password.')
    await tab.getByLabel('Password').fill('example')
    await press(tab, 'Confirm')
    await tab.waitForURL('**/profile')

    const [after, cookie] = [await sessionOf(tab), await cookieOf(tab)]
    t.equal(after.id, before.id)
    t.same(after.createdAt, before.createdAt)
    t.match(after.metadata, { deviceName: 'Desk', user_agent: desktop, oidc_sub: 'ada' })
    t.ok(after.authenticatedAt.getTime() > before.authenticatedAt.getTime() + 5 * minute)
    t.ok(after.absoluteDeadline > before.absoluteDeadline)
    t.match(after.factors, [{ method: 'pwd', at: after.authenticatedAt }])
    t.not(cookie.value, oldCookie.value)
    t.equal(await example.app.gosesh.verifyToken(oldCookie.value), null, 'the old token is dead')
    const almostOneDay = Date.now() / 1_000 + 23 * 3_600
    t.ok(oldCookie.expires > almostOneDay, 'the cookie outlives the browser')
    t.ok(cookie.expires > almostOneDay, 'and still does')
    t.equal(await heading(page), 'Your devices', 'a page that is open stays')
    t.equal(await page.locator('main[data-live]').count(), 1)

    const name = tab.getByRole('textbox', { name: 'Name to show' })
    t.equal(await name.inputValue(), 'Ada Lovelace', 'nothing was saved before')
    await name.fill(' ')
    await press(tab, 'Save')
    t.equal(await textOf(tab.getByRole('alert')), 'Type a name.')
    t.same(await complaintsOf(tab), [])
    await name.fill('  <b>Countess</b>  of Lovelace ')
    await press(tab, 'Save')
    await tab.waitForURL('**/account')
    t.equal(await textOf(tab.getByRole('status')), 'Your name is saved.')
    t.match(await textOf(tab.locator('.lead')), 'Signed in as <b>Countess</b> of Lovelace')
    t.match(
      await textOf(thisDevice(tab)),
      /^Desk This device.*Firefox 148 on Windows.*Confirmed .* by password/,
    )
    const again = await signedIn(t, 'Ada Lovelace')
    t.match(await textOf(again.locator('.lead')), 'Countess', 'the provider does not take the name back')
  })

  t.test('a session that ends with its browser still does once it is confirmed', async (t) => {
    const page = await newDevice(t)
    const userId = await example.app.gosesh.upsertUser('local|grace')
    const { token } = await example.app.gosesh.createSession(userId, {
      persistent: false,
      metadata: { oidc_iss: example.issuer, oidc_sub: 'grace', deviceName: 'Borrowed' },
    })
    await page.context().addCookies([{ name: 'gosesh-example', value: token, url: example.origin }])
    const before = await sessionOf(page)
    await page.goto('/confirm?next=/profile')
    await press(page, 'Sign in as Grace Hopper')
    await page.waitForURL('**/profile')
    const [after, { expires, value }] = [await sessionOf(page), await cookieOf(page)]
    t.not(value, token)
    t.equal(expires, -1)
    t.equal(after.id, before.id)
    t.match(after.metadata, { deviceName: 'Borrowed' })
  })

  t.test('another account of the provider confirms nothing', async (t) => {
    const page = await signedIn(t, 'Ada Lovelace')
    example.clock.advance(6 * minute)
    const [before, cookie] = [await sessionOf(page), await cookieOf(page)]
    await page.goto('/profile')
    await page.getByRole('link', { name: 'Confirm with Local Sign-in' }).click()
    await page.getByRole('link', { name: 'Use another account' }).click()
    await press(page, 'Sign in as Grace Hopper')
    t.equal(await heading(page), 'That was another account')
    t.match(await textOf(page.locator('.lead')), 'the account at the provider with which you signed in')
    t.same(await complaintsOf(page), [])
    t.equal((await cookieOf(page)).value, cookie.value)
    const { authenticatedAt, userId } = await sessionOf(page)
    t.same({ authenticatedAt, userId }, { authenticatedAt: before.authenticatedAt, userId: before.userId })
    t.match(await textOf(page.getByRole('banner')), 'Signed in as')

    await page.getByRole('link', { name: 'Try again' }).click()
    t.match(await textOf(page.locator('main')), /you are still Ada Lovelace/)
    await press(page, 'Cancel')
    t.match(await textOf(page.locator('.lead')), 'you are signed in as you were before')
    await page.getByRole('link', { name: 'Go back' }).click()
    t.equal(path(page), '/profile')
    t.equal(await heading(page), 'Confirm that it is you')
    await confirm(page)
    await page.waitForURL('**/profile')
    t.equal(await heading(page), 'Your name')
    t.equal((await sessionOf(page)).id, before.id)
  })

  t.test('a second factor is set up on one device, and asked for on another', async (t) => {
    const here = await signedIn(t, 'Alan Turing', { userAgent: desktop })
    const currentCode = await setUp(t, here)
    const used = currentCode()
    const there = await signedIn(t, 'Alan Turing', { userAgent: phone })
    const before = await sessionOf(there)
    await there.getByRole('link', { name: 'Security' }).click()
    t.equal(path(there), '/security/code?next=%2Fsecurity')
    t.equal(await heading(there), 'Type a code')
    await typeCode(there, used, 'Go on')
    t.match(await textOf(there.getByRole('alert')), 'it was used already')
    example.clock.advance(step)
    await typeCode(there, currentCode(), 'Go on')
    t.equal(path(there), '/security')
    t.equal(await heading(there), 'Security')
    const after = await sessionOf(there)
    t.equal(after.id, before.id)
    t.same(after.metadata, before.metadata)
    t.same(after.factors.map(({ method }) => method).sort(), ['otp', 'pwd'])
    await there.goto('/account')
    t.match(await textOf(thisDevice(there)), /Confirmed .* by code/)

    example.clock.advance(6 * minute)
    await there.goto('/security')
    await press(there, 'Turn it off')
    t.equal(await heading(there), 'Confirm that it is you')
    await confirm(there)
    await there.waitForURL('**/security')
    await press(there, 'Turn it off')
    t.equal(await heading(there), 'Type a code', 'the code is as old as the sign-in was')
    example.clock.advance(step)
    await typeCode(there, currentCode(), 'Go on')
    await press(there, 'Turn it off')
    t.equal(await textOf(there.getByRole('status')), 'Your second factor is off.')
    await here.goto('/security')
    t.equal(path(here), '/security/set-up', 'for every session of the user')
  })

  t.test('devices are renamed, and those with one name are told apart', async (t) => {
    await withSession(t, 'namer', phone)
    const here = await withSession(t, 'namer', desktop)
    await rename(here, thisDevice(here), '<i>Mine</i>')
    t.match((await devicesOn(here)).toSorted(), ['<i>Mine</i> This device', 'Safari 18 on iPhone'])
    const other = here.locator('.devices > li:not(.current)')
    await rename(here, other, '<i>Mine</i>')
    t.match((await devicesOn(here)).toSorted(), ['<i>Mine</i>', '<i>Mine</i> (2) This device'])
    t.match(await textOf(other), 'Safari 18 on iPhone')
    await rename(here, other, '')
    t.equal(await textOf(here.getByRole('status')), 'The device has no name of yours any more.')
    t.match((await devicesOn(here)).toSorted(), ['<i>Mine</i> This device', 'Safari 18 on iPhone'])
  })

  for (const [name, colorScheme, javaScriptEnabled] of [
    ['Grace Hopper', 'light', true],
    ['Alan Turing', 'dark', false],
  ] as const) {
    const script = javaScriptEnabled ? 'with' : 'without'
    t.test(`every page can be read and used, ${colorScheme}, ${script} JavaScript`, async (t) => {
      const options = { colorScheme, javaScriptEnabled }
      const page = await signedIn(t, name, options)
      const violations = violationsOf(page)
      const look = () => canBeRead(t, page)
      await rename(page, thisDevice(page), 'A name as long as a name can be, of fifty letters')
      await thisDevice(page).getByText('Rename').click()
      await look()
      await page.goto('/security/set-up')
      await look()
      const currentCode = await authenticatorOf(page)
      await typeCode(page, '0 0000', 'Turn it on')
      await look()
      await typeCode(page, currentCode(), 'Turn it on')
      t.equal(await heading(page), 'Security')
      await look()

      const other = await signedIn(t, name, options)
      await other.goto('/security')
      await canBeRead(t, other)
      await typeCode(other, '0 0000', 'Go on')
      await canBeRead(t, other)

      example.clock.advance(6 * minute)
      await page.goto('/profile')
      await look()
      await page.getByRole('link', { name: 'Confirm with Local Sign-in' }).click()
      t.equal(await heading(page), 'Type your password')
      await look()
      await page.getByLabel('Password').fill('guessed')
      await pressAndWait(page, 'Confirm')
      await look()
      await page.getByRole('link', { name: 'Use another account' }).click()
      await pressAndWait(page, 'Sign in as Ada Lovelace')
      t.equal(await heading(page), 'That was another account')
      await look()
      t.same(violations, [])
    })
  }
}

if (requireChromium()) inBrowser()
else t.test('the example in a browser', { skip: 'there is no chromium' }, () => {})
