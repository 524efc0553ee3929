export type { SqliteDatabase, SqliteStatement, SqliteValue } from './database.js'
export { SqliteStore, type SqliteStoreOptions } from './store.js'
