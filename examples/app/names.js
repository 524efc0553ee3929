// @ts-check

/** Characters of a name, of a user or of a device. */
export const maxNameLength = 50

/**
 * A name or another line to show, or what is wrong with it. Spaces at its ends go, and those inside become one.
 *
 * @param {unknown} typed
 * @param {number} [maxLength]
 * @returns {{ name: string, problem: string | null }}
 */
export function parseName(typed, maxLength = maxNameLength) {
  const name = typeof typed === 'string' ? typed.normalize('NFC').trim().replace(/\s+/gu, ' ') : ''
  if (/\p{Cc}/u.test(name)) return { name: '', problem: 'It has characters that cannot be shown.' }
  return { name, problem: name.length > maxLength ? `At most ${maxLength} characters.` : null }
}
