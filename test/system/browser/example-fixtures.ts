import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { complaintsOf, faintTexts } from './checks.js'
import { hasChromium, howToGetChromium, isLive, launchChromium, signIn, startExample } from './scene.js'

export const minute = 60_000

export const desktop = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:148.0) Gecko/20100101 Firefox/148.0'

/** How long a page of the example may take. */
const patience = 20_000

export function requireChromium(): boolean {
  if (hasChromium) return true
  if (process.env.CI === 'true') throw new Error(howToGetChromium)
  t.comment(`LEFT OUT: every test of the example in a browser. ${howToGetChromium}`)
  return false
}

type Example = Awaited<ReturnType<typeof startExample>>

export let example: Example
let browser: Browser

export async function startAll(): Promise<void> {
  example = await startExample()
  browser = await launchChromium()
}

export async function stopAll(): Promise<void> {
  await browser?.close()
  await example?.stop()
}

/** A page in a browser of its own: its own cookies at the application and at the provider. */
export async function newDevice(t: Test, options: BrowserContextOptions = {}): Promise<Page> {
  const context = await browser.newContext({ baseURL: example.origin, locale: 'en-GB', ...options })
  t.teardown(() => context.close())
  const page = await context.newPage()
  page.setDefaultTimeout(patience)
  return page
}

/** A device on whose account page somebody is signed in, and told of an end at once. */
export async function signedIn(t: Test, name: string, options: BrowserContextOptions = {}): Promise<Page> {
  const page = await newDevice(t, options)
  await page.goto('/')
  await signIn(page, name)
  if (options.javaScriptEnabled === false) await page.waitForURL('**/account')
  else await isLive(page)
  return page
}

/** The same without the way through the provider, where that is not what is looked at. */
export async function withSession(t: Test, userId: string, userAgent: string): Promise<Page> {
  const page = await newDevice(t, { userAgent })
  const { token } = await example.app.gosesh.createSession(userId, { metadata: { user_agent: userAgent } })
  await page.context().addCookies([{ name: 'gosesh-example', value: token, url: example.origin }])
  await page.goto('/account')
  await isLive(page)
  return page
}

export function tidy(text: string | null): string {
  return (text ?? '').trim().replace(/\s+/g, ' ')
}

export async function textOf(element: Locator): Promise<string> {
  return tidy(await element.textContent())
}

/** The rows of the list of devices. */
export async function devicesOn(page: Page): Promise<string[]> {
  return (await page.locator('.device').allTextContents()).map(tidy)
}

export async function press(page: Page, name: string | RegExp): Promise<void> {
  await page.getByRole('button', { name }).click()
}

/** The button in the header, which every page of somebody signed in has. */
export async function signOutHere(page: Page): Promise<void> {
  await page.getByRole('banner').getByRole('button', { name: 'Sign out here', exact: true }).click()
}

/** Follows the link and confirms with the button, which have one name. */
export async function signOutMany(page: Page, name: string): Promise<void> {
  await page.getByRole('link', { name }).click()
  await page.getByRole('heading', { name: `${name}?` }).waitFor()
  await press(page, name)
}

export async function heading(page: Page): Promise<string> {
  return await textOf(page.locator('h1'))
}

/** Waits until the page says by itself that it is signed out; resolves with what it says of the reason. */
export async function becomesSignedOut(page: Page): Promise<string> {
  await page.getByRole('heading', { name: 'You are signed out' }).waitFor()
  return await textOf(page.locator('.lead'))
}

/** Where a browser ends up that asks for the account page. */
export async function landsAt(page: Page): Promise<string> {
  await page.goto('/account')
  return new URL(page.url()).pathname
}

export function path(page: Page): string {
  const { pathname, search } = new URL(page.url())
  return pathname + search
}

/** What the Content-Security-Policy refuses on the page from now on. */
export function violationsOf(page: Page): readonly string[] {
  const violations: string[] = []
  page.on('console', (message) => {
    if (/Content.Security.Policy/i.test(message.text())) violations.push(message.text())
  })
  return violations
}

/** The basics of accessibility, on a narrow screen and on a wide one. */
export async function canBeRead(t: Test, page: Page): Promise<void> {
  // A click waits for the page that it leads to, and not for its stylesheet.
  await page.waitForLoadState('load')
  for (const width of [360, 1440]) {
    await page.setViewportSize({ width, height: 780 })
    t.same(await complaintsOf(page), [], `${page.url()} at ${width}`)
  }
  t.same(await faintTexts(page), [], page.url())
}
