import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

type Command = (...args: never[]) => unknown

interface Call {
  readonly id: number
  readonly name: string
  readonly args: readonly unknown[]
}

type Answer = { readonly id: number } & ({ readonly result: unknown } | { readonly error: string })

/** In a program: answers the calls of the process that started it, and ends with it. */
export function answerCalls(commands: Readonly<Record<string, Command>>): void {
  process.on('message', async ({ id, name, args }: Call) => {
    try {
      const command = commands[name] as (...args: readonly unknown[]) => unknown
      process.send?.({ id, result: await command(...args) })
    } catch (error) {
      process.send?.({ id, error: error instanceof Error ? String(error.stack) : String(error) })
    }
  })
  process.on('disconnect', () => process.exit())
}

/** A program of this folder in a process of its own, and the calls that it answers. */
export class Program {
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>()
  #lastId = 0

  private constructor(child: ChildProcess) {
    this.#child = child
    child.on('message', (answer: Answer) => {
      const call = this.#waiting.get(answer.id)
      this.#waiting.delete(answer.id)
      if ('error' in answer) call?.reject(new Error(answer.error))
      else call?.resolve(answer.result)
    })
    child.once('exit', (code, signal) => {
      for (const call of this.#waiting.values())
        call.reject(new Error(`the program ended: ${signal ?? code}`))
    })
  }

  /** Starts `programs/NAME.js` with one argument, which is passed as JSON. */
  static start(name: string, argument: unknown, nodeFlags: readonly string[] = []): Program {
    const path = fileURLToPath(new URL(`../programs/${name}.js`, import.meta.url))
    const execArgv = ['--expose-gc', ...nodeFlags]
    return new Program(fork(path, [JSON.stringify(argument)], { execArgv, serialization: 'advanced' }))
  }

  get pid(): number {
    return this.#child.pid as number
  }

  call<T>(name: string, ...args: readonly unknown[]): Promise<T> {
    const id = ++this.#lastId
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as (value: unknown) => void, reject })
      this.#child.send({ id, name, args } satisfies Call)
    })
  }

  /** Asks the program to end, and waits until it has. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exited = once(this.#child, 'exit')
    this.#child.disconnect()
    await exited
  }
}

/** What the program was started with. */
export function argument<T>(): T {
  return JSON.parse(process.argv[2] as string) as T
}
