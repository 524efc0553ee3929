import { GoseshError } from '../../errors.js'
import type { Driver, Scan } from './client.js'
import type { Script } from './scripts.js'

/** Enough to save round trips, few enough to keep Redis busy for about a millisecond. */
const keysPerCall = 100
/** In a cluster, where a call has one key, a wave of them must not hold up the event loop for long. */
const callsPerWave = 250

function unavailable(cause: unknown): GoseshError {
  return new GoseshError('GOSESH_ERR_STORE_UNAVAILABLE', { cause })
}

async function answer<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (cause) {
    throw unavailable(cause)
  }
}

function isNoScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT')
}

/** Redis as the store needs it. Whatever a driver rejects with becomes `GOSESH_ERR_STORE_UNAVAILABLE`. */
export class Connection {
  readonly #driver: Driver

  constructor(driver: Driver) {
    this.#driver = driver
  }

  async get(key: string): Promise<unknown> {
    return await answer(() => this.#driver.get(key))
  }

  /** One call of a script; the keys lie in one slot. */
  async run(script: Script, keys: string[], args: string[] = []): Promise<unknown> {
    return await answer(async () => {
      try {
        return await this.#driver.evalSha(script.sha1, keys, args)
      } catch (error) {
        if (!isNoScript(error)) throw error
        // A server that was restarted, or has taken over from another, does not know the script yet.
        return await this.#driver.eval(script.source, keys, args)
      }
    })
  }

  /**
   * A script over any number of keys, in as few calls as Redis allows, of which a whole wave is under way at once.
   * `args` go to every call, `argOfKey` with the key of the same place. Resolves what each call returned, in order.
   */
  async runEach(
    script: Script,
    keys: readonly string[],
    args: readonly string[] = [],
    argOfKey: readonly string[] = [],
  ): Promise<unknown[]> {
    const size = this.#driver.cluster ? 1 : keysPerCall
    const replies: unknown[] = []
    for (let start = 0; start < keys.length; start += size * callsPerWave) {
      const calls: Promise<unknown>[] = []
      for (let i = start; i < Math.min(keys.length, start + size * callsPerWave); i += size) {
        const ownArgs = [...args, ...argOfKey.slice(i, i + size)]
        calls.push(this.run(script, keys.slice(i, i + size), ownArgs))
      }
      replies.push(...(await Promise.all(calls)))
    }
    return replies
  }

  /** As `runEach`, for a script that counts. */
  async count(
    script: Script,
    keys: readonly string[],
    args?: readonly string[],
    argOfKey?: readonly string[],
  ): Promise<number> {
    const counts = await this.runEach(script, keys, args, argOfKey)
    return counts.reduce<number>((sum, count) => sum + Number(count), 0)
  }

  /** The keys that begin with `start`, in pages, of every server. */
  async *keys(start: string): AsyncGenerator<string[]> {
    // A client may be set to prefix every key that it sends; patterns and replies go without. Ask which it is.
    const seen = String(await answer(() => this.#driver.eval('return KEYS[1]', [start], [])))
    const pattern = `${seen.replace(/[\\*?[\]]/g, '\\$&')}*`
    for (const scan of await answer(() => this.#driver.scans())) {
      yield* this.#pages(scan, pattern, seen.length - start.length)
    }
  }

  async *#pages(scan: Scan, pattern: string, skip: number): AsyncGenerator<string[]> {
    let cursor = '0'
    do {
      const page = await answer(() => scan(cursor, pattern))
      cursor = page.cursor
      if (page.keys.length > 0) yield page.keys.map((key) => key.slice(skip))
    } while (cursor !== '0')
  }
}
