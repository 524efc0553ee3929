import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { Test } from 'tap'
import { freePort } from './ports.js'

const howToGetOne =
  'These tests need redis-server and redis-cli on PATH, of Redis 7 or later: apt-get install redis-server, or ' +
  "your system's package."

const host = '127.0.0.1'

/** Ends the server and removes its folder once its standard input is closed, however this process ended. */
const watchdogScript = `
cat >/dev/null
pid=$(cat "$1/redis.pid" 2>/dev/null)
if [ -n "$pid" ]; then kill -KILL "$pid" 2>/dev/null; fi
rm -rf "$1"
`

/** Resolves once `check` does so with true; rejects where that takes longer than 20 seconds. */
export async function eventually(what: string, check: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 20_000
  while (!(await check())) {
    if (Date.now() > end) throw new Error(`not in 20 seconds: ${what}`)
    await delay(10)
  }
}

/** The one key that begins so. */
export async function onlyKey(
  client: { keys(pattern: string): Promise<string[]> },
  start: string,
): Promise<string> {
  const keys = (await client.keys('*')).filter((key) => key.startsWith(start))
  if (keys.length !== 1) throw new Error(`${keys.length} keys begin with ${start}`)
  return keys[0] as string
}

/** The keys that hold anything but the log of revocations, which has no expiry. */
export async function keysBesideLog(client: { keys(pattern: string): Promise<string[]> }): Promise<string[]> {
  return (await client.keys('*')).filter((key) => key !== 'gosesh:revocations')
}

/** A Redis server for one test file, on a free port, with its data in a temporary folder. */
export class RedisServer {
  readonly host = host
  readonly port: number
  /** What the server logged, since it was first started. */
  log = ''
  readonly #settings: Readonly<Record<string, string>>
  readonly #folder = mkdtempSync(join(tmpdir(), 'gosesh-redis-'))
  readonly #watchdog: ChildProcess
  #process: ChildProcess | null = null

  constructor(port: number, settings: Readonly<Record<string, string>>) {
    this.port = port
    this.#settings = settings
    this.#watchdog = spawn('/bin/sh', ['-c', watchdogScript, 'sh', this.#folder], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    })
  }

  get url(): string {
    return `redis://${host}:${this.port}`
  }

  /** Resolves once it takes connections, with the data that it had before, if it keeps any. */
  async start(): Promise<void> {
    const settings = {
      port: String(this.port),
      bind: host,
      dir: this.#folder,
      pidfile: join(this.#folder, 'redis.pid'),
      save: '',
      ...this.#settings,
    }
    const flags = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value])
    const child = spawn('redis-server', flags, { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#process = child
    const from = this.log.length
    await new Promise<void>((resolve, reject) => {
      const collect = (text: string): void => {
        this.log += text
        if (this.log.slice(from).includes('Ready to accept connections')) resolve()
      }
      child.once('error', reject)
      child.once('exit', () => reject(new Error(`no Redis server: ${this.log.slice(from)}`)))
      child.stdout.setEncoding('utf8').on('data', collect)
      child.stderr.setEncoding('utf8').on('data', collect)
    })
  }

  /** Runs a command with redis-cli and resolves what it prints. */
  async command(...args: string[]): Promise<string> {
    const { stdout } = await promisify(execFile)('redis-cli', ['-p', String(this.port), ...args])
    return stdout.trim()
  }

  /** How often each command was called since the last `CONFIG RESETSTAT`, inside scripts too. */
  async commandCounts(): Promise<Record<string, number>> {
    const stats = await this.command('INFO', 'commandstats')
    const counts = Array.from(stats.matchAll(/^cmdstat_(\S+?):calls=(\d+)/gm), ([, name, calls]) => {
      return [name as string, Number(calls)] as const
    })
    return Object.fromEntries(counts)
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process
    this.#process = null
    if (child === null || child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill(signal)
    await exited
    rmSync(join(this.#folder, 'redis.pid'), { force: true })
  }

  async stop(): Promise<void> {
    await this.#end('SIGTERM')
  }

  /** As after a crash. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  /** Stops the server where it stands: connections stay open and nothing answers. */
  pause(): void {
    this.#process?.kill('SIGSTOP')
  }

  resume(): void {
    this.#process?.kill('SIGCONT')
  }

  /** Stops the server and removes all that it left. */
  async close(): Promise<void> {
    await this.#end('SIGKILL')
    const exited = once(this.#watchdog, 'exit')
    this.#watchdog.stdin?.end()
    await exited
  }
}

/** Whether there is Redis. Where not, says so loudly and marks the test file as skipped; with CI=true it throws. */
export function hasRedis(t: Test): boolean {
  try {
    for (const program of ['redis-server', 'redis-cli'])
      execFileSync(program, ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    if (process.env.CI === 'true') throw new Error(howToGetOne)
    process.stderr.write(`\n*** SKIPPED. ${howToGetOne}\n\n`)
    t.plan(0, howToGetOne)
    return false
  }
}

/** Starts a server that is gone after the test. */
export async function startRedis(
  t: Test,
  settings: Readonly<Record<string, string>> = {},
): Promise<RedisServer> {
  const server = new RedisServer(await freePort(), settings)
  t.teardown(() => server.close())
  await server.start()
  return server
}

/** Starts three masters with a third of the slots each, that are gone after the test. */
export async function startRedisCluster(
  t: Test,
  settings: Readonly<Record<string, string>> = {},
): Promise<RedisServer[]> {
  const servers: RedisServer[] = []
  for (let i = 0; i < 3; i++) {
    const bus = await freePort()
    const server = await startRedis(t, {
      'cluster-enabled': 'yes',
      'cluster-port': String(bus),
      'cluster-node-timeout': '2000',
      ...settings,
    })
    const last = i === 2 ? 16_383 : (i + 1) * 5_461 - 1
    await server.command('CLUSTER', 'ADDSLOTSRANGE', String(i * 5_461), String(last))
    await server.command('CLUSTER', 'SET-CONFIG-EPOCH', String(i + 1))
    await servers[0]?.command('CLUSTER', 'MEET', host, String(server.port), String(bus))
    servers.push(server)
  }
  for (const server of servers) {
    await eventually(`cluster node ${server.port} is ready`, async () => {
      const info = await server.command('CLUSTER', 'INFO')
      return info.includes('cluster_state:ok') && info.includes('cluster_known_nodes:3')
    })
  }
  return servers
}
