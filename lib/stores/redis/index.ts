export type {
  IoredisClient,
  IoredisCluster,
  NodeRedisClient,
  NodeRedisCluster,
  RedisStoreClient,
} from './client.js'
export type { RedisStoreOptions } from './options.js'
export { RedisStore } from './store.js'
