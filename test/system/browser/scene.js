// @ts-check
import { existsSync } from 'node:fs'
import { chromium } from 'playwright-core'
import { buildApp } from '../../../examples/app/app.js'
import { readConfig } from '../../../examples/app/config.js'
import { openDatabase } from '../../../examples/app/database.js'
import { startLocalProvider } from '../../../examples/app/provider/local.js'
import { freePort } from '../../tools/ports.js'

const { CHROMIUM: executablePath = '/usr/bin/chromium' } = process.env

/** Whether there is a browser to test with. */
export const hasChromium = existsSync(executablePath)

export const howToGetChromium = `These tests need ${executablePath}: apt-get install chromium, or say where it is by CHROMIUM.`

const launchArguments = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

export const phone =
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1'

/** A clock that can be put forward. */
class MovableClock {
  #offset

  /** @param {Date} start What it shows now. */
  constructor(start) {
    this.#offset = start.getTime() - Date.now()
  }

  now() {
    return Date.now() + this.#offset
  }

  /** @param {number} ms */
  advance(ms) {
    this.#offset += ms
  }
}

/**
 * The example application and its provider, both listening, on a database of their own.
 *
 * @param {object} [options]
 * @param {number} [options.devicePollInterval]
 * @param {string} [options.port]
 * @param {string} [options.providerPort]
 * @param {Date} [options.startAt]
 * @param {import('gosesh').SessionStore} [options.store] In place of the one of the SQLite file.
 */
export async function startExample({
  devicePollInterval = 1_000,
  port,
  providerPort,
  startAt = new Date(),
  store,
} = {}) {
  const config = readConfig({
    PORT: port ?? String(await freePort()),
    PROVIDER_PORT: providerPort ?? String(await freePort()),
  })
  const { host, origin, provider } = config
  const clock = new MovableClock(startAt)
  const stopProvider = await startLocalProvider(config, clock)
  const opened = await openDatabase(':memory:')
  const database = { ...opened, store: store ?? opened.store }
  // All browsers of a test have one address.
  const requestsPerMinute = 60_000
  const app = await buildApp({ origin, provider, database, devicePollInterval, requestsPerMinute, clock })
  await app.listen({ host, port: config.port })
  return {
    app,
    clock,
    origin,
    issuer: provider.issuer,
    async stop() {
      await app.close()
      await stopProvider()
    },
  }
}

export async function launchChromium() {
  return await chromium.launch({ executablePath, args: launchArguments })
}

/**
 * Signs in with two clicks.
 *
 * @param {import('playwright-core').Page} page On the application.
 * @param {string} name
 */
export async function signIn(page, name = 'Ada Lovelace') {
  await page.getByRole('link', { name: /^Sign in/ }).click()
  await page.getByRole('button', { name: `Sign in as ${name}` }).click()
}

/**
 * Waits until the account page hears at once of the end of its session.
 *
 * @param {import('playwright-core').Page} page
 */
export async function isLive(page) {
  await page.waitForURL('**/account*')
  await page.locator('main[data-live]').waitFor()
}
