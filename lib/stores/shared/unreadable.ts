import { GoseshError } from '../../core/errors.js'

/**
 * The error for a stored value that somebody changed by hand: a failure of the store, and never absence, which would sign
 * somebody out. It has no cause, as a parser's message quotes the value.
 */
export function unreadable(what: 'session' | 'device code' | 'metadata'): GoseshError {
  return new GoseshError('GOSESH_ERR_STORE_UNAVAILABLE', {
    message: `The session store is unavailable (a stored ${what} is not readable)`,
  })
}
