import type { PeerName } from '../peers/all.js'
import type { PeerSettings } from '../peers/peer.js'
import { keepOnServerCore } from './cores.js'
import { type Load, type LoadResult, loadWith } from './load.js'
import { Program } from './program.js'
import type { SeededStoreSettings } from './seeded-store.js'

/** What takes part in a comparison. */
export interface Candidate {
  readonly title: string
  readonly peer: PeerName
  readonly settings: Omit<PeerSettings, 'lifetime'>
  /** Default: `/me`. */
  readonly path?: string
  /** Whether its requests carry the cookies of sessions. Default: they do. */
  readonly anonymous?: boolean
}

export interface Measurement extends LoadResult {
  readonly perSecond: number
  /** Microseconds of the server's own processor time for a request. */
  readonly cpuPerRequest: number
}

const day = 24 * 3_600_000
/** Sessions whose cookies the load presents in turn. */
const sessionCount = 1_000
/** Of many sessions, those that the load presents. */
const sampleSize = 20_000

/** A candidate's server, in a process of its own, and a load for it. */
export class RunningCandidate {
  readonly title: string
  readonly program: Program
  readonly url: string
  readonly cookies: readonly string[]
  readonly #load: Load

  private constructor(
    title: string,
    program: Program,
    url: string,
    cookies: readonly string[],
    pinned: boolean,
  ) {
    this.title = title
    this.program = program
    this.url = url
    this.cookies = cookies
    this.#load = loadWith(cookies, pinned)
    if (pinned) keepOnServerCore(program.pid)
  }

  static async start(candidate: Candidate, nodeFlags?: readonly string[]): Promise<RunningCandidate> {
    const { title, peer, path = '/me', anonymous = false } = candidate
    const settings: PeerSettings = { ...candidate.settings, lifetime: day }
    const program = Program.start('peer-server', { peer, settings }, nodeFlags)
    const port = await program.call<number>('listen')
    const cookies = anonymous ? [''] : await program.call<string[]>('signIn', 0, sessionCount)
    return new RunningCandidate(title, program, `http://127.0.0.1:${port}${path}`, cookies, true)
  }

  /**
   * gosesh on a store in which there will be so many sessions; `seed` makes them. `pinned`: on a core of its own, for all
   * but servers that work at the same time.
   */
  static async startSeeded(
    title: string,
    settings: SeededStoreSettings & { readonly flushInterval?: number },
    count: number,
    pinned = true,
  ): Promise<RunningCandidate> {
    const program = Program.start('seeded-server', settings)
    const port = await program.call<number>('listen')
    const cookies = await program.call<string[]>('cookies', count, sampleSize)
    return new RunningCandidate(title, program, `http://127.0.0.1:${port}/me`, cookies, pinned)
  }

  async measure(seconds: number, connections: number, pause = 0): Promise<Measurement> {
    const before = await this.program.call<number>('cpu')
    const result = await this.#load.run({ url: this.url, seconds, connections, pause })
    const used = (await this.program.call<number>('cpu')) - before
    return {
      ...result,
      perSecond: result.requests / result.seconds,
      cpuPerRequest: used / result.requests,
    }
  }

  async stop(): Promise<void> {
    this.#load.close()
    await this.program.call('close')
    await this.program.stop()
  }
}
