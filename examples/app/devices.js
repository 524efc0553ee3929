// @ts-check
import Bowser from 'bowser'

/** The clients of the device flow, and what users read. */
export const deviceClients = { 'example-cli': 'Command line' }

/** @typedef {'computer' | 'phone' | 'terminal' | 'unknown'} DeviceKind */

/**
 * What is kept with a session about the device that signed in: the user agent as it came, cut to a sane length. It is
 * read when it is shown, so a browser that is new today gets its name with the next release of the parser.
 *
 * @param {import('fastify').FastifyRequest} request
 * @returns {Record<string, string>}
 */
export function deviceMetadata(request) {
  const { 'user-agent': agent } = request.headers
  return agent === undefined ? {} : { user_agent: agent.slice(0, 512) }
}

/**
 * Where a request comes from, for a user who decides whether to connect a device. A city by its address would say more;
 * this application looks nothing up.
 *
 * @param {import('fastify').FastifyRequest} request
 */
export function describePlace({ ip }) {
  const address = ip.replace(/^::ffff:/, '')
  return address === '::1' || address.startsWith('127.') ? 'this computer' : address
}

/**
 * @param {Bowser.Parser.ParsedResult} result
 * @returns {DeviceKind}
 */
function kindOf({ platform: { type } }) {
  if (type === 'mobile' || type === 'tablet') return 'phone'
  return type === 'desktop' ? 'computer' : 'unknown'
}

/**
 * Browser and platform of the user agent. Nothing depends on them but what users read: anybody can send any.
 *
 * @param {string} agent
 * @returns {{ name: string, kind: DeviceKind }}
 */
function readAgent(agent) {
  const result = Bowser.parse(agent)
  const { name: browser, version = '' } = result.browser
  if (!browser) return { name: agent.slice(0, 60), kind: 'unknown' }
  const major = version.split('.')[0] ?? ''
  const platform = result.platform.model ?? result.os.name
  return { name: `${`${browser} ${major}`.trim()}${platform ? ` on ${platform}` : ''}`, kind: kindOf(result) }
}

/**
 * The names of devices, told apart: of those with one name, all but the first to sign in get a number.
 *
 * @template {{ id: string, createdAt: Date, device: { name: string } }} View
 * @param {View[]} sessions
 * @returns {Map<string, string>} By the ids of the sessions.
 */
export function distinctNames(sessions) {
  /** @type {Map<string, number>} */
  const counts = new Map()
  const oldestFirst = sessions.toSorted((a, b) => Number(a.createdAt) - Number(b.createdAt))
  return new Map(
    oldestFirst.map(({ id, device: { name } }) => {
      const count = (counts.get(name) ?? 0) + 1
      counts.set(name, count)
      return [id, count === 1 ? name : `${name} (${count})`]
    }),
  )
}

/**
 * @param {import('gosesh').Session} session
 * @returns {{ name: string, kind: DeviceKind }}
 */
function recognize({ metadata }) {
  const client = metadata?.device_client
  if (client !== undefined) {
    return { name: /** @type {Record<string, string>} */ (deviceClients)[client] ?? client, kind: 'terminal' }
  }
  const agent = metadata?.user_agent ?? ''
  return agent === '' ? { name: 'An unnamed device', kind: 'unknown' } : readAgent(agent)
}

/**
 * A session's device in a few words, such as `Firefox 140 on Linux`, and by the name that its user gave it, if any.
 *
 * @param {import('gosesh').Session} session
 * @returns {{ name: string, model: string, kind: DeviceKind }}
 */
export function describeDevice(session) {
  const { name: model, kind } = recognize(session)
  return { name: session.metadata?.deviceName ?? model, model, kind }
}
