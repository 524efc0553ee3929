import type { SessionDataStore, SessionId, SessionStore } from '../../lib/index.js'
import { newSession } from '../../lib/testing/fixtures.js'

const limits = { maxKeys: 10 }

/** Every call of a store that concerns data. */
export function dataCalls(store: SessionStore & SessionDataStore, id: SessionId) {
  return {
    readData: () => store.readData(id, null),
    writeData: () => store.writeData(id, new Map([['a', '1']]), limits),
    swapData: () => store.swapData(id, 'a', null, '1', limits),
    'createSession, with data': () => store.createSession(newSession(), new Map([['a', '1']])),
  }
}
