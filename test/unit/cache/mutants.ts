import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import ts from 'typescript'
import type { Subject } from './simulation.js'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const files = [
  'cache/generations',
  'cache/lease',
  'cache/session-cache',
  'cache/revocation-poller',
  'core/timing',
]

interface Mutant {
  readonly name: string
  readonly file: (typeof files)[number]
  readonly replace: readonly (readonly [from: string, to: string])[]
}

/** Each takes one thing out on which the bound of staleness rests. */
export const mutants: readonly Mutant[] = [
  {
    name: 'no load guard',
    file: 'cache/session-cache',
    replace: [['load.cancelled || ', '']],
  },
  {
    name: 'the proof is taken at the answer',
    file: 'cache/revocation-poller',
    replace: [['isFirst ? null : entries, began', 'isFirst ? null : entries, this.#cache.now()']],
  },
  {
    name: 'the lease is kept by a timer',
    file: 'cache/lease',
    replace: [
      [
        'this.#proven = at\n',
        `this.#proven = at
    simulatedTimeout(() => {
      if (this.#proven === at) this.#proven = null
    }, this.#maxStaleness - (this.#clocks.monotonic() - at.monotonic))
`,
      ],
      ['if (age >= this.#maxStaleness) return false', ''],
    ],
  },
  {
    name: 'a poll that failed is taken as proof',
    file: 'cache/revocation-poller',
    replace: [['this.#failed(error)\n', 'this.#cache.apply([], began)\n']],
  },
  {
    name: 'nothing is forgotten if the log cannot tell',
    file: 'cache/session-cache',
    replace: [['this.#entries.clear()\n    this.#loads', 'this.#loads']],
  },
  {
    name: 'the epoch is not raised',
    file: 'cache/session-cache',
    replace: [['this.#epoch++', '']],
  },
]

/** The classes with the mutant's change, compiled into the folder. */
export async function mutated(folder: string, { file, replace }: Mutant): Promise<Subject> {
  for (const name of files) {
    let text = await readFile(join(root, 'lib', `${name}.ts`), 'utf8')
    for (const [from, to] of name === file ? replace : []) {
      if (!text.includes(from)) throw new Error(`${name} has no ${from}`)
      text = text.replace(from, to)
    }
    const { outputText } = ts.transpileModule(text, {
      compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023 },
    })
    const path = join(folder, `${name}.js`)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, outputText)
  }
  const load = (name: string): Promise<object> => import(pathToFileURL(join(folder, `cache/${name}.js`)).href)
  return { ...(await load('session-cache')), ...(await load('revocation-poller')) } as Subject
}
