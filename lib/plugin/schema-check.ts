import type { Logger } from '../../types/options.js'
import { hasCapability } from '../core/capabilities.js'
import type { GoseshError } from '../core/errors.js'
import type { BoundedStore } from '../session/bounded-store.js'

/**
 * Rejects with `GOSESH_ERR_STORE_SCHEMA` if the tables of the store are missing or older than its code. A store that is
 * down is only warned of: it may be back before the first request that needs it.
 */
export async function checkSchema(store: BoundedStore, log: Logger): Promise<void> {
  if (!hasCapability(store, 'checkSchema')) return
  try {
    await store.checkSchema()
  } catch (error) {
    if ((error as GoseshError).code === 'GOSESH_ERR_STORE_SCHEMA') throw error
    log.warn(
      { err: error },
      'the session store could not say whether its tables are there; starting all the same',
    )
  }
}
