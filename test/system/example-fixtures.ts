import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { buildApp } from '../../examples/app/app.js'
import { openDatabase } from '../../examples/app/database.js'
import type { CreateSessionOptions } from '../../types/options.js'
import { Browser, locationOf } from './oauth/browser.js'
import { freePort } from './oauth/oidc-server.js'

export interface SessionView {
  readonly id: string
  readonly current: boolean
  readonly device: { readonly name: string; readonly kind: string }
  readonly createdAt: string
  readonly authenticatedAt: string
  readonly lastActivityAt: string
}

export interface Example {
  readonly process: ChildProcessWithoutNullStreams
  readonly exited: Promise<[code: number | null, signal: string | null]>
  /** Where it was told to be. */
  readonly url: string
  readonly env: Readonly<Record<string, string>>
  readonly guide: string
}

const serverFile = fileURLToPath(new URL('../../examples/app/server.js', import.meta.url))
const built = fileURLToPath(new URL('../../dist/lib/index.js', import.meta.url))
const firefox = 'Mozilla/5.0 (X11; Linux x86_64; rv:148.0) Gecko/20100101 Firefox/148.0'

/** Where a database can be made, in a folder that is gone after the test. */
export function databaseFile(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'gosesh-example-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return join(folder, 'app.db')
}

export function launch(t: Test, env: Record<string, string>): Pick<Example, 'process' | 'exited'> {
  if (!existsSync(built)) throw new Error('The example runs on the built package; run npm run build first')
  const child = spawn(process.execPath, [serverFile], { env: { ...process.env, LOG_LEVEL: 'warn', ...env } })
  const exited = once(child, 'exit') as Example['exited']
  t.teardown(async () => {
    child.kill('SIGKILL')
    await exited
  })
  return { process: child, exited }
}

/** Everything that the stream gives until it ends, or until `enough` matches. */
export async function read(stream: Readable, enough?: RegExp): Promise<string> {
  let text = ''
  for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
    text += chunk
    if (enough?.test(text)) break
  }
  return text
}

/** The example as a process of its own; `env` adds to where it listens and keeps its data. */
export async function startExample(t: Test, env: Record<string, string> = {}): Promise<Example> {
  const [PORT, PROVIDER_PORT] = [String(await freePort()), String(await freePort())]
  const complete = { PORT, PROVIDER_PORT, DATABASE: databaseFile(t), ...env }
  const launched = launch(t, complete)
  const complaints = read(launched.process.stderr)
  const guide = await read(launched.process.stdout, /sign-out\n/)
  const url = `http://localhost:${complete.PORT}`
  if (!guide.includes(url)) throw new Error(`The example did not start: ${await complaints}`)
  return { ...launched, url, env: complete, guide }
}

/** Signs in as a browser does; resolves the page that it comes to. */
export async function signIn(
  { url, env }: Pick<Example, 'url' | 'env'>,
  browser: Browser,
  { account = 'ada', agent = firefox, link = '/auth/local' } = {},
): Promise<string> {
  const issuer = `http://127.0.0.1:${env.PROVIDER_PORT}`
  let next = `${url}${link}`
  for (let steps = 0; steps < 10; steps++) {
    const response = await browser.get(next, { 'user-agent': agent })
    if (response.status === 200 && !next.startsWith(issuer)) return next
    next = locationOf(
      response.status === 200 ? await browser.post(next, { account, password: 'example' }) : response,
    )
  }
  throw new Error(`signing in came to no end, but to ${next}`)
}

export async function signedIn(example: Example, account = 'ada', agent = firefox): Promise<Browser> {
  const browser = new Browser()
  await signIn(example, browser, { account, agent })
  return browser
}

export async function sessionsOf({ url }: Example, browser: Browser): Promise<SessionView[]> {
  return (await (await browser.get(`${url}/api/sessions`)).json()) as SessionView[]
}

export async function statusOf({ url }: Example, path: string, browser = new Browser()): Promise<number> {
  return (await browser.get(`${url}${path}`)).status
}

/** The application alone, without its provider, and a clock that the test sets. */
export async function startAlone(t: Test) {
  const time = { now: Date.parse('2026-03-02T09:12:00Z') }
  const issuer = `http://127.0.0.1:${await freePort()}`
  const provider = { name: 'local', label: 'Nobody', issuer, clientId: 'app', clientSecret: 'none' }
  const database = await openDatabase(':memory:')
  const clock = { now: () => time.now }
  const app = await buildApp({ origin: 'http://localhost:3000', provider, database, clock })
  t.teardown(() => app.close())

  /** A browser of nobody: it keeps the cookies that it is given. */
  function newBrowser() {
    const cookies = new Map<string, string>()
    const headers = () => ({
      cookie: Array.from(cookies, ([name, value]) => `${name}=${value}`).join('; '),
      accept: 'text/html',
      'sec-fetch-mode': 'navigate',
    })
    return {
      cookies,
      get: (url: string) => app.inject({ url, headers: headers() }),
      async post(url: string, form: Record<string, string> = {}, more: Record<string, string> = {}) {
        const type = { 'content-type': 'application/x-www-form-urlencoded' }
        const payload = new URLSearchParams(form).toString()
        const all = { ...headers(), ...type, ...more }
        const response = await app.inject({ method: 'POST', url, headers: all, payload })
        for (const { name, value } of response.cookies) cookies.set(name, value)
        return response
      },
    }
  }

  /** A browser of the user. */
  async function browserOf(userId: string, options: CreateSessionOptions = {}) {
    const { session, token } = await app.gosesh.createSession(userId, options)
    const browser = newBrowser()
    browser.cookies.set('gosesh-example', token)
    return { id: session.id, ...browser }
  }
  return { app, store: database.store, time, newBrowser, browserOf }
}
