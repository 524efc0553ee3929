import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { AppSettings, Command, Death, Measurement, Reply, Report, Request } from './protocol.js'

interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** The application in a process of its own, that can be killed and started again where it was. */
export class AppProcess {
  readonly port: number
  readonly #program: string
  readonly #settings: AppSettings
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, (result: Measurement | Report | null) => void>()
  #lastId = 0
  /** How it was killed in the middle of a flush; `null` where it was not. */
  death: Death | null = null
  /** Resolves once the process has ended, and all that it said is known. */
  readonly exited: Promise<Exit>

  constructor(program: string, settings: AppSettings, child: ChildProcess, port: number) {
    this.#program = program
    this.#settings = settings
    this.#child = child
    this.port = port
    this.exited = Promise.all([once(child, 'exit'), once(child, 'disconnect')]).then(([[code, signal]]) => ({
      code,
      signal,
    }))
    child.on('message', (reply: Reply) => {
      if ('dying' in reply) this.death = reply.dying
      if (!('id' in reply)) return
      this.#waiting.get(reply.id)?.(reply.result)
      this.#waiting.delete(reply.id)
    })
  }

  /** `program` is app.ts, compiled. */
  static async start(program: string, settings: AppSettings): Promise<AppProcess> {
    const child = spawn(process.execPath, ['--expose-gc', program], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      env: { ...process.env, APP_SETTINGS: JSON.stringify(settings) },
    })
    const failed = once(child, 'exit').then(([code]) => {
      throw new Error(`the application ended at start with ${code}`)
    })
    const [{ listening }] = (await Promise.race([once(child, 'message'), failed])) as [{ listening: number }]
    failed.catch(() => {})
    return new AppProcess(program, settings, child, listening)
  }

  /** The same application on the same port, after this one has ended. */
  restart(): Promise<AppProcess> {
    return AppProcess.start(this.#program, { ...this.#settings, listenOn: this.port })
  }

  async tell(command: Exclude<Command, { kind: 'measure' | 'close' }>): Promise<void> {
    await this.#ask(command)
  }

  async measure(): Promise<Measurement> {
    return (await this.#ask({ kind: 'measure' })) as Measurement
  }

  /** Closes it as an operator would; resolves its report and how it ended. */
  async close(): Promise<{ report: Report; exit: Exit }> {
    const report = (await this.#ask({ kind: 'close' })) as Report
    return { report, exit: await this.exited }
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }

  /** Rejects where the process ends before it has answered. */
  #ask(command: Command): Promise<Measurement | Report | null> {
    const id = ++this.#lastId
    const answered = new Promise<Measurement | Report | null>((resolve) => {
      this.#waiting.set(id, resolve)
    })
    const request: Request = { id, command }
    this.#child.send(request)
    const ended = this.exited.then(({ code, signal }) => {
      throw new Error(`the application ended with ${signal ?? code}`)
    })
    return Promise.race([answered, ended])
  }
}
