import { GoseshError } from '../../core/errors.js'
import type { Driver, Scan } from './client.js'
import type { Script } from './scripts.js'

/** Enough to save round trips, few enough to keep Redis busy for less than a millisecond. */
const keysPerCall = 50
/** What somebody's request has to wait for behind them, while Redis always has the next one at hand. */
const callsAtOnce = 2
/** In a cluster a call has one key. */
const callsAtOnceInCluster = 100

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
export class RedisConnection {
  readonly #driver: Driver

  constructor(driver: Driver) {
    this.#driver = driver
  }

  /** True if keys lie on several servers, between which they may move. */
  get cluster(): boolean {
    return this.#driver.cluster
  }

  /** What `decode` makes of the value, or of `null`. Rejects with what it throws if that has a code. */
  async get<T>(key: string, decode: (value: unknown) => T): Promise<T> {
    try {
      return decode(await this.#driver.get(key))
    } catch (cause) {
      throw cause instanceof GoseshError ? cause : unavailable(cause)
    }
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
   * A script over any number of keys, in calls that are short and few at once, so that requests find their way between
   * them. `args` go to every call, `argOfKey` with the key of the same place. Resolves what each call returned, in order.
   */
  async runEach(
    script: Script,
    keys: readonly string[],
    args: readonly string[] = [],
    argOfKey: readonly string[] = [],
  ): Promise<unknown[]> {
    const [size, atOnce] = this.#driver.cluster ? [1, callsAtOnceInCluster] : [keysPerCall, callsAtOnce]
    const replies: unknown[] = []
    let next = 0
    const lane = async (): Promise<void> => {
      while (next < keys.length) {
        const from = next
        next += size
        const ownArgs = [...args, ...argOfKey.slice(from, next)]
        try {
          replies[from / size] = await this.run(script, keys.slice(from, from + size), ownArgs)
        } catch (error) {
          next = keys.length
          throw error
        }
      }
    }
    await Promise.all(Array.from({ length: atOnce }, lane))
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
