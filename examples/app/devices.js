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
 * A session's device in a few words, such as `Firefox 140 on Linux`.
 *
 * @param {import('gosesh').Session} session
 * @returns {{ name: string, kind: DeviceKind }}
 */
export function describeDevice({ metadata }) {
  const client = metadata?.device_client
  if (client !== undefined) {
    return { name: /** @type {Record<string, string>} */ (deviceClients)[client] ?? client, kind: 'terminal' }
  }
  const agent = metadata?.user_agent ?? ''
  return agent === '' ? { name: 'An unnamed device', kind: 'unknown' } : readAgent(agent)
}
