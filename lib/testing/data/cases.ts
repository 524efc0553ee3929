import assert from 'node:assert/strict'
import type { SessionDataStore } from '../../../types/data.js'
import type { SessionId } from '../../../types/session.js'
import type { SessionStore } from '../../../types/store.js'
import { type ContractCases, newSession, newSessionId } from '../fixtures.js'

export const limits = { maxKeys: 50 }

/** Fails unless the session has exactly this data. */
export async function assertData(
  store: SessionDataStore,
  id: SessionId,
  expected: Readonly<Record<string, string>>,
): Promise<void> {
  const found = await store.readData(id, null)
  assert.ok(found !== null, `session ${id} is absent`)
  assert.deepEqual(new Map([...found].toSorted()), new Map(Object.entries(expected).toSorted()))
}

export async function withSession(store: SessionStore): Promise<SessionId> {
  const session = newSession()
  await store.createSession(session)
  return session.id
}

/** Texts that a store may take for one another, or change. */
const texts: readonly string[] = [
  '""',
  '"it\'s a \\"quoted\\" \\\\ {0} $1 ?"',
  '"\\u0000 \\ud800 \\n"',
  '{"a":[1,2.5,null,true]}',
  '"été 山田 👩‍👩‍👧"',
  ' [ 1 ] ',
  '007',
  `"${'x'.repeat(16_000)}"`,
]
/** `fromEntries`, because in an object literal `__proto__` is no key. */
const keys: readonly string[] = [
  'a',
  'A',
  '__proto__',
  'constructor',
  '2',
  '名前',
  "it's",
  '$1 ?',
  ' a',
  '👍'.repeat(64),
]

export const dataCases: ContractCases<SessionDataStore> = {
  async 'readData: null if there is no such session, an empty map if it has no data'(store) {
    const id = await withSession(store)
    assert.equal(await store.readData(newSessionId(), null), null)
    assert.equal(await store.readData(newSessionId(), ['a']), null)
    assert.equal(await store.readData(newSessionId(), []), null)
    assert.deepEqual(await store.readData(id, null), new Map())
    assert.deepEqual(await store.readData(id, ['a']), new Map())
    assert.deepEqual(await store.readData(id, []), new Map())
  },

  async 'readData: the keys that were asked for, and those that are absent are left out'(store) {
    const id = await withSession(store)
    await store.writeData(
      id,
      new Map([
        ['a', '1'],
        ['b', '2'],
        ['c', '3'],
      ]),
      limits,
    )
    assert.deepEqual(
      await store.readData(id, ['a', 'c', 'x']),
      new Map([
        ['a', '1'],
        ['c', '3'],
      ]),
    )
    assert.deepEqual(await store.readData(id, []), new Map())
    await assertData(store, id, { a: '1', b: '2', c: '3' })
  },

  async 'writeData: keeps keys and values as given'(store) {
    const id = await withSession(store)
    const given = Object.fromEntries(keys.map((key, i) => [key, texts[i % texts.length] as string]))
    assert.equal(await store.writeData(id, new Map(Object.entries(given)), limits), 'written')
    await assertData(store, id, given)
    for (const value of texts) {
      assert.equal(await store.writeData(id, new Map([['a', value]]), limits), 'written')
      assert.equal((await store.readData(id, ['a']))?.get('a'), value)
    }
  },

  async 'writeData: sets and deletes what it names, and touches nothing else'(store) {
    const [id, other] = [await withSession(store), await withSession(store)]
    for (const each of [id, other])
      await store.writeData(
        each,
        new Map([
          ['a', '1'],
          ['b', '2'],
        ]),
        limits,
      )
    const changes = new Map([
      ['a', null],
      ['c', '3'],
      ['absent', null],
    ])
    assert.equal(await store.writeData(id, changes, limits), 'written')
    await assertData(store, id, { b: '2', c: '3' })
    await assertData(store, other, { a: '1', b: '2' })
  },

  async 'writeData: absent if there is no such session, and keeps nothing'(store) {
    const session = newSession()
    assert.equal(await store.writeData(session.id, new Map([['a', '1']]), limits), 'absent')
    await store.createSession(session)
    await assertData(store, session.id, {})
  },

  async 'writeData: full past the most keys, and then changes nothing; what adds no key may always be done'(
    store,
  ) {
    const id = await withSession(store)
    const some = new Map([
      ['a', '1'],
      ['b', '2'],
      ['c', '3'],
    ])
    assert.equal(await store.writeData(id, some, { maxKeys: 3 }), 'written')
    assert.equal(
      await store.writeData(
        id,
        new Map([
          ['a', '9'],
          ['d', '4'],
        ]),
        { maxKeys: 3 },
      ),
      'full',
    )
    await assertData(store, id, { a: '1', b: '2', c: '3' })
    assert.equal(
      await store.writeData(
        id,
        new Map([
          ['a', null],
          ['d', '4'],
        ]),
        { maxKeys: 3 },
      ),
      'written',
    )
    // As if the limit had been lowered since.
    assert.equal(await store.writeData(id, new Map([['b', '5']]), { maxKeys: 1 }), 'written')
    assert.equal(await store.writeData(id, new Map([['b', null]]), { maxKeys: 1 }), 'written')
    await assertData(store, id, { c: '3', d: '4' })
  },

  async 'swapData: changes the key only if its value is the expected one'(store) {
    const id = await withSession(store)
    assert.equal(await store.swapData(id, 'a', '1', '2', limits), 'conflict')
    assert.equal(await store.swapData(id, 'a', null, '1', limits), 'swapped')
    assert.equal(await store.swapData(id, 'a', null, '2', limits), 'conflict')
    assert.equal(await store.swapData(id, 'a', '1 ', '2', limits), 'conflict')
    await assertData(store, id, { a: '1' })
    assert.equal(await store.swapData(id, 'a', '1', '2', limits), 'swapped')
    assert.equal(await store.swapData(id, 'a', '2', null, limits), 'swapped')
    assert.equal(await store.swapData(id, 'a', '2', null, limits), 'conflict')
    await assertData(store, id, {})
  },

  async 'swapData: full past the most keys, and absent without a session'(store) {
    const id = await withSession(store)
    assert.equal(await store.swapData(id, 'a', null, '1', { maxKeys: 1 }), 'swapped')
    assert.equal(await store.swapData(id, 'b', null, '1', { maxKeys: 1 }), 'full')
    assert.equal(await store.swapData(id, 'a', '1', '2', { maxKeys: 1 }), 'swapped')
    await assertData(store, id, { a: '2' })
    assert.equal(await store.swapData(newSessionId(), 'a', null, '1', limits), 'absent')
  },
}
