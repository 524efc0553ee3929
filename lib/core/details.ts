import type { Factor } from '../../types/session.js'
import { GoseshError } from './errors.js'

/** What a session has beside its fixed fields, in the text that a store keeps as `details`. */
export interface SessionDetails {
  readonly factors: readonly Factor[]
}

const none: SessionDetails = Object.freeze({ factors: Object.freeze([]) })

/** The text for a store; `null` if there is nothing to keep. */
export function encodeDetails({ factors }: SessionDetails): string | null {
  if (factors.length === 0) return null
  return JSON.stringify({ factors: factors.map(({ method, at }) => [method, at.getTime()]) })
}

/**
 * The details in the text. Throws `GOSESH_ERR_STORE_UNAVAILABLE` if somebody broke it: a session whose factors cannot be
 * read is neither one without factors nor one that has ended.
 */
export function parseDetails(text: string | null): SessionDetails {
  if (text === null) return none
  try {
    const { factors } = JSON.parse(text) as { factors: readonly (readonly unknown[])[] }
    return Object.freeze({ factors: Object.freeze(factors.map(parseFactor)) })
  } catch {
    // Without the cause, as a parser's message quotes the text.
    throw new GoseshError('GOSESH_ERR_STORE_UNAVAILABLE', {
      message: "The session store is unavailable (a stored session's details are not readable)",
    })
  }
}

function parseFactor([method, time]: readonly unknown[]): Factor {
  const at = new Date(time as number)
  if (typeof method !== 'string' || typeof time !== 'number' || Number.isNaN(at.getTime()))
    throw new TypeError()
  return Object.freeze({ method, at })
}
