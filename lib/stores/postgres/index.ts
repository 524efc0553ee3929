export type { PostgresClient, PostgresPool, PostgresQuery, PostgresResult } from './client.js'
export type { PostgresStoreOptions } from './options.js'
export { PostgresStore } from './store.js'
