// @ts-check

/** Local accounts for a first try; with `OIDC_ISSUER` a provider of yours takes the place of the local one. */
const localClient = { clientId: 'gosesh-example', clientSecret: 'known to everybody, as it guards nothing' }

/**
 * @typedef {object} ProviderConfig
 * @property {string} name Begins the ids of its users; never rename it.
 * @property {string} label What users call it.
 * @property {string} issuer
 * @property {string} clientId
 * @property {string | undefined} clientSecret
 * @property {number | null} localPort Where the local provider listens; `null`: the provider is somewhere else.
 */

/**
 * @param {string} name
 * @param {string} value
 */
function parsePort(name, value) {
  const port = /^\d{1,5}$/.test(value) ? Number(value) : 0
  if (port >= 1 && port <= 65_535) return port
  throw new Error(`${name} is ${value}; expected a port, 1 to 65535`)
}

/**
 * @param {NodeJS.ProcessEnv} env
 * @param {number} port
 * @returns {ProviderConfig}
 */
function readProvider(env, port) {
  const { OIDC_ISSUER: issuer, OIDC_CLIENT_ID: clientId, OIDC_CLIENT_SECRET: clientSecret } = env
  if (issuer === undefined) {
    const localPort = parsePort('PROVIDER_PORT', env.PROVIDER_PORT ?? String(port + 1))
    // Another host than the application's: to a browser it is another site, as a real provider is.
    const localIssuer = `http://127.0.0.1:${localPort}`
    return { name: 'local', label: 'Local Sign-in', issuer: localIssuer, ...localClient, localPort }
  }
  if (clientId === undefined) throw new Error('OIDC_ISSUER needs OIDC_CLIENT_ID')
  const label = env.OIDC_LABEL ?? new URL(issuer).host
  return { name: 'company', label, issuer, clientId, clientSecret, localPort: null }
}

/**
 * What the environment says. `ORIGIN` is where browsers reach the application.
 *
 * @param {NodeJS.ProcessEnv} env
 */
export function readConfig(env) {
  const { HOST: host = 'localhost', LOG_LEVEL: logLevel = 'warn', DATABASE: database } = env
  const port = parsePort('PORT', env.PORT ?? '3000')
  const https = env.HTTPS === '1'
  return {
    host,
    port,
    logLevel,
    /** `null`: the application's own folder. */
    database: database ?? null,
    /** True: with a certificate that is made at the start. */
    https,
    origin: env.ORIGIN ?? `${https ? 'https' : 'http'}://localhost:${port}`,
    provider: readProvider(env, port),
  }
}
