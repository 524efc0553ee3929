import { GoseshError } from '../../core/errors.js'
import { hasMethods } from '../../core/validation.js'

/** The part of an event emitter that the store uses: a client without an `error` listener may end the process. */
interface Emitter {
  listenerCount(event: 'error'): number
  on(event: 'error', listener: () => void): unknown
}

/** The part of ioredis that the store uses. */
export interface IoredisClient extends Emitter {
  get(key: string): Promise<unknown>
  evalsha(sha1: string, numberOfKeys: number, ...keysAndArgs: string[]): Promise<unknown>
  eval(source: string, numberOfKeys: number, ...keysAndArgs: string[]): Promise<unknown>
  scan(
    cursor: string,
    match: 'MATCH',
    pattern: string,
    count: 'COUNT',
    n: number,
  ): Promise<[string, string[]]>
}

/** The part of an ioredis Cluster that the store uses. */
export interface IoredisCluster extends Omit<IoredisClient, 'scan'> {
  nodes(role: 'master'): Pick<IoredisClient, 'scan'>[]
}

/** The part of node-redis (the package `redis`) that the store uses. */
export interface NodeRedisClient extends Emitter {
  get(key: string): Promise<unknown>
  evalSha(sha1: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>
  eval(source: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>
  scan(
    cursor: string,
    options: { MATCH: string; COUNT: number },
  ): Promise<{ cursor: unknown; keys: unknown[] }>
}

/** The part of a node-redis cluster that the store uses. */
export interface NodeRedisCluster extends Omit<NodeRedisClient, 'scan'> {
  readonly masters: readonly unknown[]
  nodeClient(node: unknown): Pick<NodeRedisClient, 'scan'> | Promise<Pick<NodeRedisClient, 'scan'>>
}

/** A connected client that the application made; the store closes nothing. */
export type RedisStoreClient = IoredisClient | IoredisCluster | NodeRedisClient | NodeRedisCluster

/** One page of the keys of one server. */
export type Scan = (cursor: string, pattern: string) => Promise<{ cursor: string; keys: string[] }>

/** What the two drivers have in common, under one name. */
export interface Driver {
  /** True if the keys of one script must lie in one slot. */
  readonly cluster: boolean
  get(key: string): Promise<unknown>
  evalSha(sha1: string, keys: string[], args: string[]): Promise<unknown>
  eval(source: string, keys: string[], args: string[]): Promise<unknown>
  /** One for each server that holds keys. */
  scans(): Promise<Scan[]>
}

const scanCount = 1_000

function scanIoredis(node: Pick<IoredisClient, 'scan'>): Scan {
  return async (cursor, pattern) => {
    const [next, keys] = await node.scan(cursor, 'MATCH', pattern, 'COUNT', scanCount)
    return { cursor: next, keys }
  }
}

function scanNodeRedis(node: Pick<NodeRedisClient, 'scan'>): Scan {
  return async (cursor, pattern) => {
    const page = await node.scan(cursor, { MATCH: pattern, COUNT: scanCount })
    return { cursor: String(page.cursor), keys: page.keys.map(String) }
  }
}

function ioredisDriver(client: IoredisClient | IoredisCluster): Driver {
  return {
    cluster: 'nodes' in client,
    get: (key) => client.get(key),
    evalSha: (sha1, keys, args) => client.evalsha(sha1, keys.length, ...keys, ...args),
    eval: (source, keys, args) => client.eval(source, keys.length, ...keys, ...args),
    scans: async () => ('nodes' in client ? client.nodes('master') : [client]).map(scanIoredis),
  }
}

function nodeRedisDriver(client: NodeRedisClient | NodeRedisCluster): Driver {
  return {
    cluster: 'nodeClient' in client,
    get: (key) => client.get(key),
    evalSha: (sha1, keys, args) => client.evalSha(sha1, { keys, arguments: args }),
    eval: (source, keys, args) => client.eval(source, { keys, arguments: args }),
    scans: async () => {
      if (!('nodeClient' in client)) return [scanNodeRedis(client)]
      const nodes = await Promise.all(client.masters.map((node) => client.nodeClient(node)))
      return nodes.map(scanNodeRedis)
    },
  }
}

/** Tells the drivers apart by their method names. Throws `GOSESH_ERR_OPTION` if it is neither. */
export function driverOf(client: RedisStoreClient): Driver {
  if (hasMethods(client, ['get', 'evalsha', 'eval', 'on', 'listenerCount'])) {
    return ioredisDriver(client as IoredisClient | IoredisCluster)
  }
  if (hasMethods(client, ['get', 'evalSha', 'eval', 'on', 'listenerCount'])) {
    return nodeRedisDriver(client as NodeRedisClient | NodeRedisCluster)
  }
  // What was given is not shown: it may be a configuration with a password in it.
  throw new GoseshError('GOSESH_ERR_OPTION', {
    message: 'RedisStore needs a client of ioredis or of redis (node-redis), standalone or cluster',
  })
}
