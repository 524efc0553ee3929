/** A string, which stays as it is, or a number that is no part of one. */
const token = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?/g

/**
 * Reads JSON whose whole numbers may be larger than a JavaScript number can hold, such as the ids of a provider: those
 * become strings of their digits. `JSON.parse` rounds them, and would make one user of two. Throws `SyntaxError`.
 */
export function parseExactJson(text: string): unknown {
  // What is no JSON must stay an error, whatever the replacement makes of it.
  JSON.parse(text)
  return JSON.parse(text.replace(token, (found) => (isUnsafeInteger(found) ? `"${found}"` : found)))
}

function isUnsafeInteger(text: string): boolean {
  return /^-?\d+$/.test(text) && !Number.isSafeInteger(Number(text))
}
