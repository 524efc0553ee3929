// @ts-check
/**
 * Starts the provider that runs beside the application, unless the configuration names another one.
 *
 * @param {Pick<ReturnType<typeof import('../config.js').readConfig>, 'host' | 'origin' | 'provider'>} config
 * @param {{ now(): number }} [clock]
 * @returns {Promise<() => Promise<void>>} Stops it.
 */
export async function startLocalProvider({ host, origin, provider }, clock = Date) {
  const { name, issuer, clientId, clientSecret = '', localPort } = provider
  if (localPort === null) return async () => {}
  // Loaded only here: with a provider of yours, oidc-provider need not be installed.
  const { startProvider } = await import('./provider.js')
  return await startProvider({
    // A container has to be reachable from outside; elsewhere nobody else's machine is let in.
    host: host === 'localhost' ? '127.0.0.1' : host,
    port: localPort,
    issuer,
    clock,
    client: {
      clientId,
      clientSecret,
      origin,
      callbackUrl: `${origin}/auth/${name}/callback`,
      backchannelLogoutUrl: `${origin}/auth/${name}/backchannel-logout`,
      signedOutUrl: `${origin}/signed-out`,
    },
  })
}
