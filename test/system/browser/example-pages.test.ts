import { readdir, readFile } from 'node:fs/promises'
import t from 'tap'
import { errorPage, signInErrorPage } from '../../../examples/app/views/notices.js'
import { GoseshError } from '../../../lib/core/errors.js'
import { complaintsOf, focusOrder, hasFocus } from './checks.js'
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
  signOutHere,
  startAll,
  stopAll,
  textOf,
  violationsOf,
  withSession,
} from './example-fixtures.js'
import { phone, signIn } from './scene.js'

function inBrowser(): void {
  t.before(startAll)
  t.teardown(stopAll)

  t.test('all of it works without JavaScript', async (t) => {
    const options = { javaScriptEnabled: false }
    const [here, there] = [
      await signedIn(t, 'Alan Turing', options),
      await signedIn(t, 'Alan Turing', { ...options, userAgent: phone }),
    ]
    await here.reload()
    t.ok((await devicesOn(here)).length >= 2)
    t.match(await textOf(here.locator('time').first()), /^just now$/)
    await press(here, 'Sign out Safari 18 on iPhone')
    await there.reload()
    t.equal(path(there), '/?next=%2Faccount')
    t.equal(await heading(there), 'Sign in to go on')
    await here.getByRole('link', { name: 'Name' }).click()
    await here.getByRole('textbox', { name: 'Name to show' }).fill('Alan M. Turing')
    await press(here, 'Save')
    t.match(await textOf(here.locator('.lead')), 'Alan M. Turing')
    await here.getByRole('link', { name: 'Connect', exact: true }).click()
    t.equal(await heading(here), 'Connect a device')
    t.equal(await hasFocus(here, '#user_code'), true)
    await signOutHere(here)
    t.equal(path(here), '/signed-out')
  })

  t.test('a note that is typed before signing in is there after it, to be saved', async (t) => {
    const page = await newDevice(t)
    const violations = violationsOf(page)
    await page.goto('/')
    await page.getByRole('link', { name: 'write a note' }).click()
    await page.getByLabel('A note to yourself').fill('Buy <b>tea</b>')
    await press(page, 'Sign in and save')
    t.equal(await heading(page), 'Sign in to go on')
    t.equal(await textOf(page.getByRole('status')), 'Your note is kept until you have signed in.')
    await canBeRead(t, page)
    await signIn(page, 'Grace Hopper')
    await page.waitForURL('**/note')
    t.equal(await textOf(page.getByRole('status')), 'You typed this before. It is not saved yet.')
    t.equal(await page.getByLabel('A note to yourself').inputValue(), 'Buy <b>tea</b>')
    await canBeRead(t, page)
    await press(page, 'Save')
    await page.waitForURL('**/account')
    t.equal(await textOf(page.getByRole('status')), 'Your note is saved.')
    t.equal(await textOf(page.locator('.note')), 'Buy <b>tea</b> Change the note')
    await canBeRead(t, page)
    await page.reload()
    t.equal(await page.getByRole('status').count(), 0, 'it is said once')
    t.same(violations, [])
  })

  t.test('a browser that signs in as somebody else has that user alone', async (t) => {
    const page = await signedIn(t, 'Ada Lovelace')
    await page.goto('/auth/local')
    await press(page, 'Sign in as Grace Hopper')
    await page.waitForURL('**/account')
    t.match(await textOf(page.locator('.lead')), 'Grace Hopper')
  })

  t.test('who cancels at the provider comes back to a page that says so', async (t) => {
    const page = await newDevice(t)
    await page.goto('/profile')
    await page.getByRole('link', { name: /^Sign in/ }).click()
    await press(page, 'Cancel')
    await page.waitForURL('**/callback?**')
    t.equal(await heading(page), 'You cancelled signing in')
    t.equal(await textOf(page.locator('.lead')), 'You are not signed in.')
    t.notMatch(await textOf(page.locator('main')), 'GOSESH_ERR')
    t.same(await complaintsOf(page), [])
    await page.getByRole('link', { name: 'Go back' }).click()
    t.equal(path(page), '/?next=%2Fprofile', 'to the page that was asked for, which asks to sign in')
    await signIn(page, 'Ada Lovelace')
    await page.waitForURL('**/profile')
    await page.goto('/auth/local?next=/auth/device')
    await press(page, 'Cancel')
    t.match(await textOf(page.locator('.lead')), 'you are signed in as you were before')
    await page.getByRole('link', { name: 'Go back' }).click()
    t.equal(path(page), '/auth/device')
  })

  t.test('who says 127.0.0.1 for localhost signs in at the first try', async (t) => {
    const page = await newDevice(t)
    await page.goto(example.origin.replace('localhost', '127.0.0.1'))
    await signIn(page, 'Ada Lovelace')
    await page.waitForURL(`${example.origin}/account`)
    t.equal(await heading(page), 'Your devices')
  })

  t.test('every page names the account', async (t) => {
    const page = await signedIn(t, 'Alan Turing')
    for (const address of ['/account', '/auth/device', '/sign-out-everywhere', '/nowhere', '/profile']) {
      await page.goto(address)
      t.match(await textOf(page.getByRole('banner')), 'Signed in as Alan', address)
    }
    example.clock.advance(6 * minute)
    await page.goto('/profile')
    t.match(await textOf(page.getByRole('banner')), 'Signed in as Alan', 'to be confirmed')
  })

  t.test('who has typed too many wrong codes keeps the navigation', async (t) => {
    const page = await withSession(t, 'guesser', desktop)
    await page.goto('/auth/device')
    for (let guesses = 0; guesses < 6; guesses++) {
      await page.getByRole('textbox').fill('BBBB-BBBB')
      const answered = page.waitForEvent('domcontentloaded')
      await press(page, 'Continue')
      await answered
    }
    t.equal(await heading(page), 'The device is not connected')
    t.match(await textOf(page.getByRole('banner')), 'Signed in as Nameless')
    t.equal(await page.getByRole('navigation').count(), 1)
    await page.getByRole('link', { name: 'Type the code again' }).click()
    t.equal(path(page), '/auth/device')
  })

  for (const colorScheme of ['light', 'dark'] as const) {
    t.test(`every page can be read and used, ${colorScheme}, at 360 pixels and at 1440`, async (t) => {
      const page = await newDevice(t, { colorScheme, viewport: { width: 360, height: 780 } })
      const violations = violationsOf(page)
      const look = () => canBeRead(t, page)
      const nobody = { user: null, returnTo: '/' }
      for (const [address, body] of [
        ['/provider-down', signInErrorPage(new GoseshError('GOSESH_ERR_OAUTH_PROVIDER_UNAVAILABLE'), nobody)],
        ['/too-many-codes', signInErrorPage(new GoseshError('GOSESH_ERR_OAUTH_TOO_MANY_ATTEMPTS'), nobody)],
        ['/outage', errorPage(503)],
      ] as const) {
        await page.route(`**${address}`, (route) =>
          route.fulfill({ contentType: 'text/html', body: body.toString() }),
        )
      }
      const anonymous = [
        '/provider-down',
        '/too-many-codes',
        '/outage',
        '/',
        '/?next=/profile',
        '/note',
        '/signed-out',
        '/signed-out?ended',
        '/nowhere',
        '/auth/local',
      ]
      for (const address of anonymous) {
        await page.goto(address)
        await look()
      }
      t.equal(await heading(page), 'Choose an account')
      await press(page, 'Sign in as Alan Turing')
      await page.waitForURL('**/account')
      const ofUsers = ['/account', '/profile', '/note', '/sign-out-others', '/nowhere']
      for (const address of ofUsers) {
        await page.goto(address)
        await look()
      }
      const started = await fetch(`${example.origin}/auth/device/code`, {
        method: 'POST',
        body: new URLSearchParams({ client_id: 'example-cli' }),
      })
      const { user_code: code } = (await started.json()) as { user_code: string }
      await page.goto(`/auth/device?user_code=${code}`)
      await look()
      for (const button of ['Continue', 'Allow', 'Undo']) {
        await press(page, button)
        await look()
      }
      t.same(violations, [])
    })
  }

  t.test('the tab key goes through the account page from the top to the bottom', async (t) => {
    const page = await withSession(t, 'alone', desktop)
    const order = await focusOrder(page)
    t.same(order.slice(0, 7), [
      'Skip to the content',
      'gosesh example',
      'Devices',
      'Name',
      'Security',
      'Connect',
      'Sign out here',
    ])
    t.same(order.slice(-5), [
      'Rename Firefox 148 on Windows',
      'Sign out here',
      'Sign out everywhere',
      'Connect a device',
      'Sign out here and at the provider',
    ])
  })
}

if (requireChromium()) inBrowser()
else t.test('the example in a browser', { skip: 'there is no chromium' }, () => {})

t.test('the pictures of the example show every page at both widths, light and dark', async (t) => {
  const folder = new URL('../../../docs/screenshots/', import.meta.url)
  const files = await readdir(folder)
  const pages = new Set(files.map((file) => file.replace(/-(360|1440)-(light|dark)\.png$/, '')))
  t.ok(pages.size >= 8, [...pages].join(', '))
  for (const page of pages) {
    for (const variant of ['360-light', '360-dark', '1440-light', '1440-dark']) {
      const picture = await readFile(new URL(`${page}-${variant}.png`, folder))
      t.ok(picture.length <= 60_000, `${page}-${variant}: ${picture.length} bytes`)
    }
  }
})
