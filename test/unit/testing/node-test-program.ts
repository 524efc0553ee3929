import { test } from 'node:test'
import { MemoryStore } from '../../../lib/stores/memory/store.js'
import { sessionStoreContract } from '../../../lib/testing/index.js'

class StoreWithoutList extends MemoryStore {
  constructor() {
    super()
    Object.assign(this, { listUserSessions: undefined })
  }

  async checkSchema(): Promise<void> {}
}

sessionStoreContract({ test, createStore: () => new StoreWithoutList() })
