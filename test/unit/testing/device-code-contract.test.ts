import t from 'tap'
import { deviceCodeStoreContract } from '../../../lib/testing/index.js'
import type { DeviceCode, DeviceCodeStore } from '../../../types/device-code.js'
import { brokenDeviceCodes } from './broken-device-codes.js'
import { OpenDeviceCodes } from './open-device-codes.js'

type CreateStore = () => DeviceCodeStore | Promise<DeviceCodeStore>

/** The cases that the contract registers, by their names. */
function casesFor(createStore: CreateStore): Map<string, () => Promise<void>> {
  const cases = new Map<string, () => Promise<void>>()
  deviceCodeStoreContract({
    test: (name, run) => cases.set(name, run),
    createStore: async () => ({ deviceCodes: await createStore() }),
  })
  return cases
}

async function failuresOf(createStore: CreateStore): Promise<string[]> {
  const failed: string[] = []
  for (const [name, run] of casesFor(createStore)) await run().catch(() => failed.push(name))
  return failed
}

/** Codes that vanish by themselves, as it says. */
class Vanishing extends OpenDeviceCodes {
  readonly expiryGrace = 1_000

  override async createDeviceCode(
    code: Parameters<OpenDeviceCodes['createDeviceCode']>[0],
  ): Promise<boolean> {
    const created = await super.createDeviceCode(code)
    if (code.expiresAt.getTime() + this.expiryGrace < Date.now()) this.codes.delete(code.id)
    return created
  }

  override async deleteExpiredDeviceCodes(): Promise<number> {
    return 0
  }
}

t.test('every case has a store that breaks its rule, and the list of the names is right', async (t) => {
  const names = [...casesFor(() => new OpenDeviceCodes()).keys()]
  t.strictSame(names.toSorted(), Object.keys(brokenDeviceCodes).toSorted())
})

for (const [name, Broken] of Object.entries(brokenDeviceCodes)) {
  t.test(`a store that breaks the rule fails "${name}"`, async (t) => {
    const run = casesFor(() => new Broken()).get(name)
    await t.rejects(async () => run?.())
  })
}

t.test('a store that keeps every rule passes every case', async (t) => {
  t.strictSame(await failuresOf(async () => new OpenDeviceCodes()), [])
})

t.test('so does one whose codes vanish by themselves', async (t) => {
  t.strictSame(await failuresOf(() => new Vanishing()), [])
})

t.test(
  'a store that only says that they vanish fails, and so does one that deletes none, or only those that wait',
  async (t) => {
    class Claiming extends OpenDeviceCodes {
      readonly expiryGrace = 1_000
    }
    class Keeping extends OpenDeviceCodes {
      override async deleteExpiredDeviceCodes(): Promise<number> {
        return 0
      }
    }
    class Sparing extends OpenDeviceCodes {
      override isExpired(code: DeviceCode, before: Date): boolean {
        return code.status === 'pending' && super.isExpired(code, before)
      }
    }
    for (const Broken of [Claiming, Keeping, Sparing]) {
      t.strictSame((await failuresOf(() => new Broken())).slice(0, 1), [
        'deleteExpiredDeviceCodes: deletes what is past its end, and nothing else',
      ])
    }
  },
)

t.test('each case gets a store of its own', async (t) => {
  let created = 0
  const cases = casesFor(() => {
    created++
    return new OpenDeviceCodes()
  })
  for (const run of cases.values()) await run()
  t.equal(created, cases.size)
})

t.test('a case takes no parameter, which some runners would take for a callback', async (t) => {
  for (const [name, run] of casesFor(() => new OpenDeviceCodes())) t.equal(run.length, 0, name)
})
