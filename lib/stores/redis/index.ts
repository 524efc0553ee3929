export type {
  IoredisClient,
  IoredisCluster,
  NodeRedisClient,
  NodeRedisCluster,
  RedisStoreClient,
} from './client.js'
export { RedisStore, type RedisStoreOptions } from './store.js'
