import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import type { ActivityStats } from '../../lib/index.js'

const program = fileURLToPath(new URL('../system/fixtures/node-server.ts', import.meta.url))

export interface Answer {
  readonly status: number
  readonly body: string
  readonly cookie: string | null
}

/** What a node says once it is closed. */
export interface Report {
  /** The arrival of each session's last verified request. */
  readonly arrivals: Record<string, number>
  /** With the memory store: the last activity of each session that it holds. */
  readonly stored: Record<string, number>
  readonly stats: ActivityStats
}

/** One node of the application in a process of its own. */
export class AppNode {
  readonly url: string
  readonly #child: ChildProcess
  readonly #lines: AsyncIterator<string>

  constructor(child: ChildProcess, lines: AsyncIterator<string>, port: number) {
    this.#child = child
    this.#lines = lines
    this.url = `http://127.0.0.1:${port}`
  }

  static async start(t: Test, environment: Record<string, string>): Promise<AppNode> {
    const child = spawn(process.execPath, [...process.execArgv, program], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, ...environment },
    })
    t.teardown(() => child.kill('SIGKILL'))
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    const { port } = JSON.parse((await lines.next()).value)
    return new AppNode(child, lines, port)
  }

  async request(method: 'GET' | 'POST', path: string, cookie?: string, body?: object): Promise<Answer> {
    const response = await fetch(this.url + path, {
      method,
      headers: {
        ...(cookie === undefined ? {} : { cookie }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const set = response.headers.get('set-cookie')?.split(';')[0] ?? null
    return { status: response.status, body: await response.text(), cookie: set }
  }

  /** Signs in; resolves the cookie and the session's id. */
  async signIn(user: string): Promise<{ cookie: string; id: string }> {
    const { status, body, cookie } = await this.request('POST', '/login', undefined, { user })
    if (status !== 200 || cookie === null) throw new Error(`sign-in answered ${status}: ${body}`)
    return { cookie, id: body }
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** Closes it as an operator would; resolves its report and the exit code. */
  async terminate(): Promise<{ report: Report; code: number | null }> {
    const exited = once(this.#child, 'exit')
    this.#child.kill('SIGTERM')
    const report = JSON.parse((await this.#lines.next()).value)
    const [code] = await exited
    return { report, code }
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }
}
