import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { type StoreContractOptions, sessionStoreContract } from '../../../lib/testing/index.js'
import type { SessionStore } from '../../../types/store.js'
import { brokenCapabilities } from './broken-capabilities.js'
import { brokenMetadata } from './broken-metadata.js'
import { brokenStores } from './broken-stores.js'
import { brokenUpdates } from './broken-updates.js'
import { brokenUsers } from './broken-users.js'
import { OpenStore } from './open-store.js'

type Case = (context?: unknown) => Promise<void>

const broken = { ...brokenStores, ...brokenUsers, ...brokenCapabilities, ...brokenMetadata, ...brokenUpdates }
const capabilities = [
  'batchRecordActivity',
  'listUserSessions',
  'deleteExpiredSessions',
  'deleteAllSessions',
  'deleteSessionsByMetadata',
  'checkSchema',
  'updateSession',
  'deleteUser',
] as const

/** A store with the six methods that each must have, and with the optional ones that are named. */
function storeWith(...names: (typeof capabilities)[number][]): SessionStore {
  const whole = new OpenStore()
  const required = [
    'upsertUser',
    'createSession',
    'getSession',
    'extendSession',
    'deleteSession',
    'deleteUserSessions',
  ] as const
  const methods = [...required, ...names].map((name) => [name, whole[name].bind(whole)])
  return Object.fromEntries(methods) as SessionStore
}

/** The cases that the contract registers, by their names. */
function casesFor(options: Omit<StoreContractOptions, 'test'>): Map<string, Case> {
  const cases = new Map<string, Case>()
  sessionStoreContract({
    ...options,
    test: (name, run) => {
      if (cases.has(name)) throw new Error(`two cases are named ${name}`)
      cases.set(name, run)
    },
  })
  return cases
}

/** The names of the cases that fail, and the reasons for which others were skipped. */
async function run(cases: Map<string, Case>): Promise<{ failed: string[]; skipped: string[] }> {
  const [failed, skipped]: [string[], string[]] = [[], []]
  const context = { skip: (reason: string) => skipped.push(reason) }
  for (const [name, runCase] of cases) await runCase(context).catch(() => failed.push(name))
  return { failed, skipped }
}

async function runOne(cases: Map<string, Case>, name: string | undefined): Promise<void> {
  const runCase = cases.get(name ?? '')
  if (runCase !== undefined) return runCase()
  throw new TypeError(`no case is named ${name}`)
}

t.test('every case has a store that breaks its rule, and the list of the names is right', async (t) => {
  const names = [...casesFor({ createStore: () => new OpenStore() }).keys()]
  t.strictSame(names.toSorted(), Object.keys(broken).toSorted())
})

for (const [name, Broken] of Object.entries(broken)) {
  t.test(`a store that breaks the rule fails "${name}"`, async (t) => {
    await t.rejects(runOne(casesFor({ createStore: () => new Broken() }), name))
  })
}

t.test('a store that keeps every rule passes every case', async (t) => {
  t.strictSame(await run(casesFor({ createStore: async () => new OpenStore(), capabilities })), {
    failed: [],
    skipped: [],
  })
})

t.test(
  'a store without capabilities passes, and the cases that it cannot run are skipped by name',
  async (t) => {
    const cases = casesFor({ createStore: () => storeWith() })
    const { failed, skipped } = await run(cases)
    t.strictSame(failed, [])
    const names = [...cases.keys()]
    t.strictSame(
      skipped,
      capabilities.flatMap((capability) =>
        names
          .filter((name) => name.startsWith(`${capability}: `))
          .map(() => `the store has no ${capability}`),
      ),
    )
  },
)

t.test('a runner that passes nothing to a case cannot be told of a skipped one, which passes', async (t) => {
  const cases = casesFor({ createStore: () => storeWith() })
  await t.resolves(runOne(cases, 'deleteAllSessions: 0 if there is no session'))
})

t.test('a store with some capabilities passes their cases', async (t) => {
  for (const capability of capabilities) {
    const cases = casesFor({ createStore: () => storeWith(capability), capabilities: [capability] })
    t.strictSame(await run(cases), { failed: [], skipped: [] }, capability)
    const names = [...cases.keys()]
    for (const other of capabilities) {
      t.equal(
        names.some((name) => name.startsWith(`${other}: `)),
        other === capability,
        `${capability}, ${other}`,
      )
    }
  }
})

t.test('a store that lacks a declared capability fails its cases', async (t) => {
  const cases = casesFor({ createStore: () => storeWith('listUserSessions'), capabilities })
  const { failed, skipped } = await run(cases)
  const lacking = [...cases.keys()].filter((name) =>
    /^(capabilities|batchRecordActivity|deleteExpiredSessions|deleteAllSessions|deleteSessionsByMetadata|checkSchema|updateSession|deleteUser): /.test(
      name,
    ),
  )
  t.strictSame(failed, lacking)
  t.strictSame(skipped, [])
  await t.rejects(runOne(cases, lacking[1]), {
    message: 'the store has no batchRecordActivity, which it is declared to have',
  })
})

t.test(
  'a store that has a capability beyond the declared ones fails the case that counts them',
  async (t) => {
    const { failed } = await run(casesFor({ createStore: () => new OpenStore(), capabilities: [] }))
    t.strictSame(failed, ['capabilities: every optional method is there or absent, as declared'])
  },
)

t.test('a declared name that is no capability fails the case that counts them', async (t) => {
  const misspelt = ['listSessions'] as unknown as StoreContractOptions['capabilities']
  const { failed } = await run(casesFor({ createStore: () => storeWith(), capabilities: misspelt }))
  t.strictSame(failed, ['capabilities: every optional method is there or absent, as declared'])
})

t.test('an optional method that is no function fails every case of its capability', async (t) => {
  const halfThere = () => Object.assign(storeWith(), { deleteAllSessions: null }) as unknown as SessionStore
  const cases = casesFor({ createStore: halfThere })
  const { failed } = await run(cases)
  t.strictSame(
    failed,
    [...cases.keys()].filter((name) => /^(capabilities|deleteAllSessions): /.test(name)),
  )
  await t.rejects(runOne(cases, failed[0]), {
    message: 'deleteAllSessions of the store is of type object; expected a method or nothing',
  })
})

t.test('each case gets a store of its own', async (t) => {
  let created = 0
  const cases = casesFor({
    createStore: () => {
      created++
      return new OpenStore()
    },
  })
  t.equal(created, 0, 'none before a case runs')
  await run(cases)
  t.equal(created, cases.size)
})

t.test('a case fails as createStore does', async (t) => {
  const cases = casesFor({ createStore: () => Promise.reject(new Error('no database')) })
  for (const runCase of cases.values()) await t.rejects(runCase(), { message: 'no database' })
})

t.test('a case takes no parameter, which some runners would take for a callback', async (t) => {
  for (const [name, runCase] of casesFor({ createStore: () => new OpenStore() }))
    t.equal(runCase.length, 0, name)
})

t.test('the contract runs under node:test', async (t) => {
  const program = fileURLToPath(new URL('node-test-program.ts', import.meta.url))
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const child = spawn(process.execPath, [...process.execArgv, '--test', '--test-reporter=tap', program], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'close')])
  const names = [...casesFor({ createStore: () => new OpenStore() }).keys()]
  const listed = names.filter((name) => name.startsWith('listUserSessions: '))
  t.equal(code, 0, output)
  t.match(output, `# pass ${names.length - listed.length}\n`)
  t.match(output, `# skipped ${listed.length}\n`)
  for (const name of listed) t.match(output, `${name} # SKIP the store has no listUserSessions`)
})
