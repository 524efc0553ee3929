// @ts-check

/**
 * Who looks at a page, for its header; `null` if nobody is signed in.
 *
 * @param {import('./profiles.js').Profiles} profiles
 * @param {import('fastify').FastifyRequest} request
 */
export function viewerOf(profiles, { session }) {
  return session === null ? null : profiles.get(session.userId)
}
