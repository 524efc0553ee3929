#!/usr/bin/env node
// @ts-check
import { setTimeout as sleep } from 'node:timers/promises'
import { Credentials } from './cli-credentials.js'

const clientId = 'example-cli'
const grantType = 'urn:ietf:params:oauth:grant-type:device_code'
/** RFC 8628, section 3.5: what `slow_down` adds to the interval for good, in seconds. */
const slowDown = 5

const { APP_URL: address = 'http://localhost:3000' } = process.env
const origin = /^https?:/.test(address) && URL.canParse(address) ? new URL(address).origin : null
const credentials = new Credentials(String(origin))

/** What the user is told, without a stack. */
class Problem extends Error {}

/**
 * @param {string} path
 * @param {RequestInit} [init]
 */
async function call(path, init) {
  try {
    return await fetch(`${origin}${path}`, init)
  } catch (cause) {
    throw new Problem(`${origin} cannot be reached`, { cause })
  }
}

/**
 * @param {string} path
 * @param {Record<string, string>} fields
 */
async function post(path, fields) {
  const response = await call(path, { method: 'POST', body: new URLSearchParams(fields) })
  if (response.status !== 200 && response.status !== 400) {
    throw new Problem(`${origin} answered ${response.status}; try again later`)
  }
  return await jsonOf(response)
}

/** @param {Response} response */
async function jsonOf(response) {
  return await response.json().catch((cause) => {
    throw new Problem(`${origin} is not the example application`, { cause })
  })
}

/**
 * Polls until the user has decided.
 *
 * @param {{ device_code: string, interval: number, expires_in: number }} started
 * @returns {Promise<string>} The session's token.
 */
async function waitForToken({ device_code: code, interval, expires_in: lifetime }) {
  const deadline = Date.now() + lifetime * 1_000
  let seconds = interval
  while (Date.now() < deadline) {
    await sleep(seconds * 1_000)
    const { access_token: token, error } = await post('/auth/device/token', {
      grant_type: grantType,
      client_id: clientId,
      device_code: code,
    })
    if (error === undefined) return token
    if (error === 'slow_down') seconds += slowDown
    else if (error === 'access_denied') throw new Problem('It was denied in the browser')
    else if (error === 'expired_token') break
    else if (error !== 'authorization_pending') throw new Problem(`Signing in failed: ${error}`)
  }
  throw new Problem('The code has expired; sign in again for a new one')
}

async function signIn() {
  const started = await post('/auth/device/code', { client_id: clientId })
  if (started.error !== undefined) throw new Problem(`Signing in failed: ${started.error}`)
  console.log(`Open ${started.verification_uri}
and type the code ${started.user_code}`)
  const token = await waitForToken(started)
  const former = await credentials.load()
  await credentials.save(token)
  // Nobody holds its token any more: in the list of devices it would be one that is not there.
  if (former !== null) await end(former)
  await whoAmI()
}

/** @param {string} token */
function bearer(token) {
  return { authorization: `Bearer ${token}` }
}

async function ownToken() {
  const token = await credentials.load()
  if (token === null) throw new Problem('Not signed in')
  return token
}

async function whoAmI() {
  const token = await ownToken()
  const response = await call('/api/me', { headers: bearer(token) })
  if (response.status === 401) {
    await credentials.forget()
    throw new Problem('Not signed in: the session has ended')
  }
  if (!response.ok) throw new Problem(`${origin} answered ${response.status}; try again later`)
  const { name, email, session } = await jsonOf(response)
  console.log(`Signed in as ${name}${email === null ? '' : ` (${email})`}, until ${session.absoluteDeadline}`)
}

/** For another program that asks with it, such as curl. */
async function showToken() {
  console.log(await ownToken())
}

/** @param {string} token */
async function end(token) {
  return await call('/api/sign-out', { method: 'POST', headers: bearer(token) })
}

async function signOut() {
  const token = await ownToken()
  const response = await end(token)
  // Forgotten only once it is worth nothing: else nobody could sign it out any more from here.
  if (!response.ok) throw new Problem(`${origin} answered ${response.status}; still signed in`)
  await credentials.forget()
  console.log('Signed out')
}

const commands = new Map([
  ['sign-in', signIn],
  ['whoami', whoAmI],
  ['token', showToken],
  ['sign-out', signOut],
])

async function main() {
  const [name = ''] = process.argv.slice(2)
  const command = commands.get(name)
  if (command === undefined) {
    throw new Problem(
      `Usage: cli.js ${[...commands.keys()].join(' | ')}; APP_URL is the application's address`,
    )
  }
  if (origin === null) throw new Problem(`APP_URL is ${address}; expected an address, http://… or https://…`)
  await command()
}

main().catch((error) => {
  console.error(error instanceof Problem ? error.message : error)
  process.exitCode = 1
})
