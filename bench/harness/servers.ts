import type pg from 'pg'
import type { Test } from 'tap'
import { type PostgresServer, startPostgres } from '../../test/tools/postgres-server.js'
import { type RedisServer, startRedis } from '../../test/tools/redis-server.js'
import { makeTemporaryFolder } from './temporary.js'

/** What is to be undone when a section ends, the last first. */
export class Cleanup {
  readonly #steps: (() => unknown)[] = []

  add(step: () => unknown): void {
    this.#steps.push(step)
  }

  async run(): Promise<void> {
    for (const step of this.#steps.reverse()) await step()
  }

  /** What the servers of the tests want of a test: somewhere to leave what is to be done at the end. */
  get test(): Test {
    return { teardown: (step: () => unknown) => this.add(step) } as unknown as Test
  }
}

/** A private Redis, gone when the section ends. */
export function redisServer(cleanup: Cleanup): Promise<RedisServer> {
  return startRedis(cleanup.test)
}

/** A private PostgreSQL, gone when the section ends. */
export async function postgresServer(cleanup: Cleanup): Promise<PostgresServer> {
  // A benchmark that lacks a store has no figures to show, so it fails.
  process.env.CI = 'true'
  return (await startPostgres(cleanup.test)) as PostgresServer
}

export function temporaryFolder(cleanup: Cleanup): string {
  const folder = makeTemporaryFolder()
  cleanup.add(() => folder.remove())
  return folder.path
}

/** Where a program finds the section's servers. */
export interface Stores {
  readonly redisUrl?: string
  readonly postgres?: pg.PoolConfig
}

/** Runs a section's work and takes away what it started, also where it fails. */
export async function withCleanup<T>(work: (cleanup: Cleanup) => Promise<T>): Promise<T> {
  const cleanup = new Cleanup()
  try {
    return await work(cleanup)
  } finally {
    await cleanup.run()
  }
}
