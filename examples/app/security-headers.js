// @ts-check

/**
 * Options of @fastify/helmet: everything from this origin and nothing inline.
 *
 * @param {string} origin
 * @param {string} issuer
 */
export function securityHeaders(origin, issuer) {
  const secure = origin.startsWith('https:')
  return {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        scriptSrc: ["'self'"],
        styleSrc: ["'self'"],
        imgSrc: ["'self'"],
        connectSrc: ["'self'"],
        // A form's redirect counts too: signing out may lead to the provider.
        formAction: ["'self'", new URL(issuer).origin],
        baseUri: ["'none'"],
        frameAncestors: ["'none'"],
      },
    },
    referrerPolicy: { policy: /** @type {const} */ ('same-origin') },
    strictTransportSecurity: secure ? { maxAge: 31_536_000 } : false,
    xFrameOptions: { action: /** @type {const} */ ('deny') },
  }
}
