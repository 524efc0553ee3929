import type { FastifyInstance } from 'fastify'
import { GoseshError, isGoseshError } from '../errors.js'
import { within } from '../timing.js'

/** Calls the session store within gosesh's `storeTimeout`; rejects with `GOSESH_ERR_STORE_UNAVAILABLE`. */
export async function callStore<T>(app: FastifyInstance, method: string, call: () => Promise<T>): Promise<T> {
  const { storeTimeout } = app.gosesh.policy
  try {
    return await within(call(), storeTimeout, () => new Error(`no answer in ${storeTimeout} ms`))
  } catch (error) {
    if (isGoseshError(error)) throw error
    const message = `The session store is unavailable (${method})`
    throw new GoseshError('GOSESH_ERR_STORE_UNAVAILABLE', { message, cause: error })
  }
}
