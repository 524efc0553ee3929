// @ts-check

const units = [
  { name: 'd', size: 86_400 },
  { name: 'h', size: 3_600 },
  { name: 'min', size: 60 },
  { name: 's', size: 1 },
]

/**
 * A duration in at most three units, such as `4 min 58 s`. The server and the page both use it.
 *
 * @param {number} ms
 */
export function formatDuration(ms) {
  let rest = Math.max(0, Math.round(ms / 1_000))
  const counts = units.map(({ name, size }) => {
    const count = Math.floor(rest / size)
    rest %= size
    return { name, count }
  })
  const first = counts.findIndex(({ count }) => count > 0)
  const shown = first === -1 ? counts.slice(-1) : counts.slice(first, first + 3)
  return shown.map(({ name, count }) => `${count} ${name}`).join(' ')
}

/**
 * How long ago, such as `12 s ago`.
 *
 * @param {number} ms
 */
export function formatAgo(ms) {
  return ms < 1_000 ? 'just now' : `${formatDuration(ms)} ago`
}
