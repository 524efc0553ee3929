import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { Cluster, Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { type IoredisCluster, RedisStore } from '../../lib/stores/redis/index.js'
import { newSession } from '../../lib/testing/fixtures.js'
import { hasRedis, startRedis, startRedisCluster } from '../tools/redis-server.js'

type Client = Redis | Cluster

/** A process whose calls to Redis are made one by one, when it is told to, and none of them after it has died. */
class Steps<T> {
  readonly outcome: Promise<PromiseSettledResult<T>>
  readonly #calls: (() => Promise<void>)[] = []
  #arrived: () => void = () => {}
  #arrival = this.#nextArrival()
  #ended = false
  #dead = false

  constructor(client: Client, prefix: string, work: (store: RedisStore) => Promise<T>) {
    const stand: IoredisCluster = {
      evalsha: (...args) => this.#gate(() => client.evalsha(...args)),
      eval: (...args) => this.#gate(() => client.eval(...args)),
      get: (key) => this.#gate(() => client.get(key)),
      nodes: () => (client instanceof Cluster ? client.nodes('master') : [client]),
      on: () => {},
      listenerCount: () => 1,
    }
    this.outcome = Promise.allSettled([work(new RedisStore(stand, { prefix }))]).then(([result]) => {
      this.#ended = true
      this.#arrived()
      return result
    })
  }

  #gate<R>(call: () => Promise<R>): Promise<R> {
    if (this.#dead) return Promise.reject(new Error('died'))
    return new Promise((resolve, reject) => {
      this.#calls.push(() => call().then(resolve, reject))
      this.#arrived()
    })
  }

  #nextArrival(): Promise<void> {
    return new Promise((resolve) => {
      this.#arrived = resolve
    })
  }

  /** Makes the next call, if there is one. */
  async step(): Promise<void> {
    await this.#arrival
    if (this.#ended) return
    const call = this.#calls.shift() as () => Promise<void>
    if (this.#calls.length === 0) this.#arrival = this.#nextArrival()
    await call()
  }

  async finish(): Promise<PromiseSettledResult<T>> {
    while (!this.#ended) await this.step()
    return await this.outcome
  }

  /** Breaks off before the next call. */
  async die(): Promise<void> {
    this.#dead = true
    await this.step()
    await this.finish()
  }
}

interface Race {
  /** Which of the processes makes its next call, one after another: 0 creates, the others delete. */
  readonly order: readonly number[]
  /** After how many of its calls each deletion dies. */
  readonly deaths?: readonly number[]
  /** Which of the deletions go by what the session's metadata says, and not by its user. */
  readonly byMetadata?: readonly boolean[]
}

const pairs = { oidc_sub: 'ada' }

/** Resolves how many sessions were deleted. */
async function deleteAda(store: RedisStore, byMetadata: boolean): Promise<number> {
  return byMetadata ? (await store.deleteSessionsByMetadata(pairs)).length : store.deleteUserSessions('ada')
}

/** Runs a creation and deletions of all the user's sessions, and judges what is left. */
async function race(
  client: Client,
  { order, deaths = [Infinity], byMetadata = deaths.map(() => false) }: Race,
): Promise<void> {
  const prefix = `${randomUUID()}:`
  const found = byMetadata.includes(true)
  const session = newSession({ userId: 'ada', metadata: found ? pairs : null })
  const creation = new Steps(client, prefix, (store) => store.createSession(session))
  const deletions = byMetadata.map((each) => new Steps(client, prefix, (store) => deleteAda(store, each)))
  const calls = deaths.map(() => 0)
  for (const who of order) {
    const deletion = deletions[who - 1]
    if (deletion === undefined) await creation.step()
    else if (calls[who - 1] === deaths[who - 1]) await deletion.die()
    else {
      calls[who - 1] = (calls[who - 1] as number) + 1
      await deletion.step()
    }
  }
  const created = await creation.finish()
  if (created.status === 'rejected') throw new Error('the creation was rejected', { cause: created.reason })

  const store = new RedisStore(client, { prefix })
  const left = await store.getSession(session.id)
  const listed = await store.listUserSessions('ada')
  if (listed.length !== (left === null ? 0 : 1)) throw new Error('a live session is not listed')
  let deleted = 0
  let died = false
  for (const deletion of deletions) {
    const result = await deletion.finish()
    if (result.status === 'fulfilled') deleted += result.value
    else died = true
  }
  const survived = (await store.getSession(session.id)) !== null
  const counted = deleted + (await deleteAda(store, found))
  if (await store.getSession(session.id)) throw new Error('a deletion missed the session')
  if (!died && counted !== 1) throw new Error(`the session was deleted ${counted} times`)
  if (survived && left === null) throw new Error('the session came back')
}

/** Every order in which the elements of both lists can come, each list in its own order. */
function* merges(a: readonly number[], b: readonly number[]): Generator<number[]> {
  if (a.length === 0 || b.length === 0) {
    yield [...a, ...b]
    return
  }
  for (const rest of merges(a.slice(1), b)) yield [a[0] as number, ...rest]
  for (const rest of merges(a, b.slice(1))) yield [b[0] as number, ...rest]
}

function races(t: Test, client: Client): void {
  // Twice three calls of a creation that starts over, and one between them; three calls of a deletion.
  const orders = [...merges([0, 0, 0, 0, 0, 0, 0], [1, 1, 1])]

  t.test('a creation and a deletion of all: the session is deleted, or lives and is found', async (t) => {
    for (const order of orders) await race(client, { order })
    t.equal(orders.length, 120)
  })

  t.test('a deletion that dies at any point leaves what the next one finds', async (t) => {
    for (const order of orders) {
      for (const death of [0, 1, 2]) await race(client, { order, deaths: [death] })
    }
    t.equal(orders.length, 120)
  })

  t.test('a creation and a deletion by metadata: it is deleted, or lives and is found', async (t) => {
    // Four calls of a creation, of which the first two are under way at once; up to seven of a deletion.
    const orders = [...merges([0, 0, 0, 0], [1, 1, 1, 1, 1, 1, 1])]
    for (const order of orders) await race(client, { order, byMetadata: [true] })
    t.equal(orders.length, 330)
  })

  t.test('deletions of both kinds, which may die, and a creation in any order', async (t) => {
    const death = fc.constantFrom(0, 1, 2, 3, Infinity)
    const property = fc.asyncProperty(
      fc.array(fc.constantFrom(0, 1, 2), { minLength: 8, maxLength: 30 }),
      fc.tuple(death, death),
      async (order, deaths) => race(client, { order, deaths, byMetadata: [true, false] }),
    )
    await t.resolves(fc.assert(property, { numRuns: 500 }))
  })

  t.test('two deletions, which may die, and a creation in any order', async (t) => {
    const death = fc.constantFrom(0, 1, 2, Infinity)
    const property = fc.asyncProperty(
      fc.array(fc.constantFrom(0, 1, 2), { minLength: 6, maxLength: 24 }),
      fc.tuple(death, death),
      async (order, deaths) => race(client, { order, deaths }),
    )
    await t.resolves(fc.assert(property, { numRuns: 500 }))
  })
}

if (hasRedis(t)) {
  const server = await startRedis(t)
  const nodes = await startRedisCluster(t)

  t.test('standalone', async (t) => {
    const client = new Redis(server.port)
    t.teardown(() => client.quit())
    races(t, client)
  })

  t.test('cluster', async (t) => {
    const client = new Cluster(nodes.map(({ host, port }) => ({ host, port })))
    t.teardown(() => client.quit())
    races(t, client)
  })
}
