import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Page } from 'playwright-core'
import t from 'tap'
import { complaintsOf, hasFocus, looksOf } from './checks.js'
import {
  becomesSignedOut,
  desktop,
  devicesOn,
  example,
  heading,
  landsAt,
  newDevice,
  path,
  press,
  requireChromium,
  signedIn,
  signOutHere,
  signOutMany,
  startAll,
  stopAll,
  textOf,
  tidy,
  withSession,
} from './example-fixtures.js'
import { isLive, phone, signIn } from './scene.js'

const client = fileURLToPath(new URL('../../../examples/app/cli.js', import.meta.url))

function inBrowser(): void {
  t.before(startAll)
  t.teardown(stopAll)

  t.test('four clicks: signed in, devices listed, signed out elsewhere', async (t) => {
    const elsewhere = await signedIn(t, 'Ada Lovelace', { userAgent: phone })
    const here = await newDevice(t)
    await here.goto('/')
    await here.getByRole('link', { name: 'Sign in' }).click()
    await press(here, 'Sign in as Ada Lovelace')
    await here.waitForURL('**/account')
    const devices = await devicesOn(here)
    t.equal(devices.length, 2)
    t.match(devices[0], /^Chrome \d+ on Linux This device$/)
    t.equal(devices[1], 'Safari 18 on iPhone')
    await signOutMany(here, 'Sign out all others')
    await here.getByRole('status').getByText('All other devices are signed out.').waitFor()
    t.equal((await devicesOn(here)).length, 1)
    t.equal(await here.getByRole('button', { name: 'Sign out all others' }).isDisabled(), true)

    t.equal(await becomesSignedOut(elsewhere), 'This device was signed out from another one.')
    t.equal(path(elsewhere), '/account', 'its page noticed by itself')
    t.equal(await hasFocus(elsewhere, 'h1'), true)
    t.equal(await elsewhere.locator('nav, .account, header form').count(), 0)
    t.equal(await landsAt(elsewhere), '/', 'and its next request is signed out')
    t.equal(await landsAt(here), '/account')
  })

  t.test('one device of the list is signed out, this one, or all of them', async (t) => {
    const [here, there, third] = [
      await withSession(t, 'grace', desktop),
      await withSession(t, 'grace', phone),
      await withSession(t, 'grace', desktop),
    ]
    await here.reload()
    t.equal((await devicesOn(here)).length, 3)
    await press(here, 'Sign out Safari 18 on iPhone')
    await here.getByRole('status').getByText('That device is signed out.').waitFor()
    t.equal(await becomesSignedOut(there), 'This device was signed out from another one.')
    t.equal(await landsAt(third), '/account')
    await isLive(third)
    await third.locator('.current').getByRole('button', { name: 'Sign out here', exact: true }).click()
    await third.waitForURL('**/signed-out')
    t.equal(await landsAt(here), '/account')
    const other = await withSession(t, 'grace', phone)
    await isLive(here)
    await signOutMany(other, 'Sign out everywhere')
    await other.waitForURL('**/signed-out')
    t.equal(await becomesSignedOut(here), 'This device was signed out from another one.')
  })

  t.test('signing out many devices asks first, and may be cancelled', async (t) => {
    const [here, there] = [await withSession(t, 'careful', desktop), await withSession(t, 'careful', phone)]
    await here.reload()
    for (const [name, text] of [
      ['Sign out all others', 'This signs out one device. You stay signed in here.'],
      ['Sign out everywhere', 'This signs out 2 devices, this one among them.'],
    ] as const) {
      await here.getByRole('link', { name }).click()
      t.match(await textOf(here.getByRole('main')), text)
      await here.getByRole('link', { name: 'Cancel' }).click()
      await here.waitForURL('**/account')
    }
    t.equal(await landsAt(there), '/account')
    await there.goto('/sign-out-others')
    await press(there, 'Sign out all others')
    await there.goto('/sign-out-others')
    t.match(await textOf(there.getByRole('main')), 'there is no other one to sign out')
    await there.goto('/sign-out-everywhere')
    t.match(await textOf(there.getByRole('main')), 'This signs out this device, the only one')
  })

  t.test('two devices of one kind have names of their own, for screen readers too', async (t) => {
    await withSession(t, 'twin', desktop)
    await withSession(t, 'twin', desktop)
    const here = await withSession(t, 'twin', desktop)
    t.same((await devicesOn(here)).sort(), [
      'Firefox 148 on Windows',
      'Firefox 148 on Windows (2)',
      'Firefox 148 on Windows (3) This device',
    ])
    const buttons = here.locator('.devices').getByRole('button')
    t.same((await buttons.allTextContents()).map(tidy).sort(), [
      'Sign out Firefox 148 on Windows',
      'Sign out Firefox 148 on Windows (2)',
      'Sign out here',
    ])
  })

  t.test('an open page does not say that another device signed it out if none did', async (t) => {
    const tabOf = async (page: Page, address: string): Promise<Page> => {
      const tab = await page.context().newPage()
      await tab.goto(address)
      return tab
    }
    const inTab = await withSession(t, 'truthful', desktop)
    await signOutHere(await tabOf(inTab, '/auth/device'))
    t.equal(await becomesSignedOut(inTab), 'You signed out in another tab or window of this browser.')

    const everywhere = await withSession(t, 'truthful', desktop)
    await signOutMany(await tabOf(everywhere, '/account'), 'Sign out everywhere')
    t.equal(await becomesSignedOut(everywhere), 'You signed out in another tab or window of this browser.')

    const byNobody = await withSession(t, 'truthful', desktop)
    await example.app.gosesh.deleteUserSessions('truthful')
    const unknown = 'Your session has ended: by its time, or because it was signed out.'
    t.equal(await becomesSignedOut(byNobody), unknown)
  })

  t.test('signing out at the provider as well ends the session of this browser there', async (t) => {
    const [here, there] = [await signedIn(t, 'Alan Turing'), await withSession(t, 'alan', phone)]
    await press(here, 'Sign out here and at the provider')
    t.equal(await heading(here), 'Sign out here, too?')
    t.same(await complaintsOf(here), [])
    await press(here, 'Yes, sign out')
    await here.waitForURL('**/signed-out')
    await here.goto(`${example.issuer}/session/end`)
    await here.getByRole('heading', { name: 'You are signed out here' }).waitFor()
    t.equal(await landsAt(there), '/account', 'another device stays')
  })

  t.test('the provider ends the sessions here when its own ends', async (t) => {
    const page = await signedIn(t, 'Alan Turing')
    const tab = await page.context().newPage()
    await tab.goto(`${example.issuer}/session/end`)
    await press(tab, 'Yes, sign out')
    await tab.getByRole('heading', { name: 'You are signed out here' }).waitFor()
    t.equal(await becomesSignedOut(page), 'The provider that you sign in with has ended your session.')
    t.equal(await landsAt(page), '/')
  })

  t.test('the command line is signed in by its code on the device page', async (t) => {
    const home = t.testdir()
    const page = await newDevice(t)
    const run = (command: string) => {
      const child = spawn(process.execPath, [client, command], {
        env: { ...process.env, APP_URL: example.origin, XDG_CONFIG_HOME: home },
      })
      t.teardown(() => child.kill('SIGKILL'))
      const said = { text: '' }
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said.text += chunk))
      const exited = once(child, 'exit').then(([code]) => `${code}: ${said.text.trim()}`)
      return { child, said, exited }
    }
    t.equal(await run('whoami').exited, '1: Not signed in')

    const former = await example.app.gosesh.createSession('grace')
    await mkdir(join(home, 'gosesh-example'))
    const formerFile = join(home, 'gosesh-example', `${encodeURIComponent(example.origin)}.token`)
    await writeFile(formerFile, former.token)

    const signingIn = run('sign-in')
    await once(signingIn.child.stdout, 'data')
    const [, address = '', code = ''] = /Open (\S+)\s+and type the code (\S+)/.exec(signingIn.said.text) ?? []
    await page.goto(address)
    t.equal(path(page), '/?next=%2Fauth%2Fdevice', 'who is not signed in is asked to')
    await signIn(page, 'Grace Hopper')
    await page.waitForURL('**/auth/device')
    t.same(await complaintsOf(page), [])
    const field = page.getByRole('textbox', { name: 'The code that the device shows' })
    await field.fill('BCDF-GHJK')
    await press(page, 'Continue')
    t.match(await textOf(page.getByRole('alert')), /code/)
    await field.fill(code.toLowerCase())
    await press(page, 'Continue')
    t.equal(await heading(page), 'Connect this device?')
    t.match(await textOf(page.locator('main')), 'Command line')
    t.equal(await textOf(page.locator('.code')), code)
    t.match(await textOf(page.locator('.facts')), /Grace Hopper \(grace@local.example\).*this computer/)
    const looks = await looksOf(page, 'main button')
    t.equal(looks.length, 2)
    t.same(looks[0], looks[1], 'neither answer is the obvious one')
    t.equal(await hasFocus(page, 'body'), true, 'nor has the focus')
    await press(page, 'Allow')
    await page.getByRole('heading', { name: 'You allowed the device' }).waitFor()
    t.notMatch(await textOf(page.locator('main')), 'connected', 'it has not asked yet')

    t.match(await signingIn.exited, /^0: .*Signed in as Grace Hopper \(grace@local.example\), until/s)
    const [file = ''] = await readdir(join(home, 'gosesh-example'))
    t.equal((await stat(join(home, 'gosesh-example', file))).mode & 0o777, 0o600)
    t.match(await run('whoami').exited, /^0: Signed in as Grace Hopper/)
    t.match(await run('token').exited, /^0: [\w-]{22}\.[\w-]{43}$/)
    t.equal(await example.app.gosesh.getSession(former.session.id), null, 'the session before it has ended')

    const devices = await page.context().newPage()
    const link = page.getByRole('link', { name: 'Your devices' })
    await devices.goto(String(await link.getAttribute('href')))
    t.ok((await devicesOn(devices)).includes('Command line'))
    await press(page, 'Undo')
    await page.getByRole('heading', { name: 'The device is not signed in' }).waitFor()
    t.equal(await run('whoami').exited, '1: Not signed in: the session has ended')
    t.equal(await run('sign-out').exited, '1: Not signed in', 'the token is forgotten')
  })
}

if (requireChromium()) inBrowser()
else t.test('the example in a browser', { skip: 'there is no chromium' }, () => {})
