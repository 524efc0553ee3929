import type { SessionMetadata } from '../../types/session.js'
import { GoseshError } from '../errors.js'

/** What a row that somebody changed by hand is answered with. No cause: a parser's message quotes the value. */
function unreadable(): GoseshError {
  return new GoseshError('GOSESH_ERR_STORE_UNAVAILABLE', {
    message: 'The session store holds a session whose metadata cannot be read',
  })
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    throw unreadable()
  }
}

/** The metadata of a stored session. Throws `GOSESH_ERR_STORE_UNAVAILABLE` for what is no object of strings. */
export function parseMetadata(json: string | null): SessionMetadata | null {
  if (json === null) return null
  const metadata = parse(json)
  if (typeof metadata !== 'object' || metadata === null || Array.isArray(metadata)) throw unreadable()
  if (Object.values(metadata).some((value) => typeof value !== 'string')) throw unreadable()
  return metadata as SessionMetadata
}
