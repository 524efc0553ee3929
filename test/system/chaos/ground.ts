import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import Database from 'libsql'
import type { Test } from 'tap'
import { startPostgres } from '../../tools/postgres-server.js'
import { hasRedis, startRedis } from '../../tools/redis-server.js'
import { type Backend, openBackend, type Place, type StoreName } from './backend.js'
import { TcpProxy } from './proxy.js'

/** What a fault can do to a server. */
interface Server {
  kill(): Promise<void>
  start(): Promise<void>
  pause(): void
  resume(): void
}

/** Another program that takes the lock of writers. */
interface Locker {
  /** Resolves whether it got it, in five seconds. */
  take(): Promise<boolean>
  release(): void
}

/** A store with all that can go wrong around it. */
export interface Ground {
  readonly store: StoreName
  /** Where the application finds the store. */
  readonly place: Place
  /** `null` where there is no line to break. */
  readonly proxy: TcpProxy | null
  readonly server: Server | null
  readonly locker: Locker | null
  /** Lets a server write no more, and then again. */
  setFull(full: boolean): Promise<void>
  /** Another way to the same data, past the proxy; `null` where there is none. */
  open(): Promise<Backend | null>
}

const grace = 300_000
const lockPatienceMs = 5_000

async function behindProxy(t: Test, port: number): Promise<TcpProxy> {
  const proxy = new TcpProxy(port)
  await proxy.listen()
  t.teardown(() => proxy.close())
  return proxy
}

async function redisGround(t: Test): Promise<Ground | null> {
  if (!hasRedis(t)) return null
  const server = await startRedis(t, { appendonly: 'yes', appendfsync: 'always' })
  const proxy = await behindProxy(t, server.port)
  return {
    store: 'redis',
    place: { port: proxy.port, file: '', grace },
    proxy,
    server,
    locker: null,
    async setFull(full) {
      await server.command('CONFIG', 'SET', 'maxmemory', full ? '1' : '0')
    },
    open: () => openBackend('redis', { port: server.port, file: '', grace }),
  }
}

async function postgresGround(t: Test): Promise<Ground | null> {
  const server = await startPostgres(t)
  if (server === null) return null
  const proxy = await behindProxy(t, server.port)
  return {
    store: 'postgres',
    place: { port: proxy.port, file: '', grace },
    proxy,
    server,
    locker: null,
    setFull: async () => {},
    open: () => openBackend('postgres', { port: server.port, file: '', grace }),
  }
}

function lockerOf(database: Database.Database): Locker {
  const take = (): boolean => {
    try {
      database.exec('BEGIN IMMEDIATE')
      return true
    } catch {
      return false
    }
  }
  return {
    // It does not wait in SQLite, where all that goes on in this process would wait with it.
    async take() {
      const end = performance.now() + lockPatienceMs
      while (!take()) {
        if (performance.now() > end) return false
        await delay(5)
      }
      return true
    },
    release() {
      if (database.inTransaction) database.exec('COMMIT')
    },
  }
}

async function sqliteGround(t: Test): Promise<Ground> {
  const folder = mkdtempSync(join(tmpdir(), 'gosesh-chaos-'))
  const remove = (): void => rmSync(folder, { recursive: true, force: true })
  process.once('exit', remove)
  t.teardown(remove)
  const place = { port: 0, file: join(folder, 'sessions.db'), grace }
  await (await openBackend('sqlite', place)).close()
  const other = new Database(place.file)
  t.teardown(() => other.close())
  return {
    store: 'sqlite',
    place,
    proxy: null,
    server: null,
    locker: lockerOf(other),
    setFull: async () => {},
    open: () => openBackend('sqlite', place),
  }
}

/** The process's own memory: nothing around it can fail. */
async function memoryGround(): Promise<Ground> {
  const place = { port: 0, file: '', grace }
  return {
    store: 'memory',
    place,
    proxy: null,
    server: null,
    locker: null,
    setFull: async () => {},
    open: async () => null,
  }
}

/**
 * Starts what the store needs, gone after the test. Resolves `null` where its server is not installed; with CI=true
 * that is a failure.
 */
export function startGround(t: Test, store: StoreName): Promise<Ground | null> {
  const starters = {
    redis: redisGround,
    postgres: postgresGround,
    sqlite: sqliteGround,
    memory: memoryGround,
  }
  return starters[store](t)
}
