export type { PostgresClient, PostgresPool, PostgresQuery, PostgresResult } from './client.js'
export { PostgresStore, type PostgresStoreOptions } from './store.js'
