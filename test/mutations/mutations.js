// @ts-check

/**
 * A check that sessions are kept safe by, and what its absence would look like.
 *
 * @typedef {object} Mutation
 * @property {string} check What the text does.
 * @property {string} requirement Of OWASP ASVS 5.0 by its number, else one of our own promises.
 * @property {string} file
 * @property {string} text Occurs once in the file.
 * @property {string} replacement
 * @property {string} test The test file that must fail then.
 */

const attacks = 'test/security/attacks.test.ts'
const cve = 'test/security/cve.test.ts'

/** @type {readonly Mutation[]} */
export const mutations = [
  {
    check: 'stores hold hashes of tokens',
    requirement: 'promise 5',
    file: 'lib/token.ts',
    text: "return hash('sha256', token, 'base64url') as SessionId",
    replacement: 'return token as string as SessionId',
    test: cve,
  },
  {
    check: 'a malformed token reaches no store',
    requirement: '7.2.1',
    file: 'lib/credentials/resolve.ts',
    text: 'return isSessionToken(value) ? value : null',
    replacement: 'return value as SessionToken | null',
    test: 'test/security/abuse.test.ts',
  },
  {
    check: 'a sign-in ends the session that the cookie held',
    requirement: '7.2.4',
    file: 'lib/session/starter.ts',
    text: "if (replaced !== null) await this.#ender.endOne(replaced, 'replaced', null)",
    replacement: '',
    test: cve,
  },
  {
    check: 'the idle deadline ends a session',
    requirement: '7.3.1',
    file: 'lib/session/lifetime.ts',
    text: 'return session.idleDeadline !== null && now >= session.idleDeadline.getTime()',
    replacement: 'return false',
    test: attacks,
  },
  {
    check: 'the absolute deadline ends a session',
    requirement: '7.3.2',
    file: 'lib/session/lifetime.ts',
    text: 'if (now >= session.absoluteDeadline.getTime()) return true',
    replacement: '',
    test: attacks,
  },
  {
    check: 'a sign-out waits for the deletion before it clears the cookie',
    requirement: '7.4.1',
    file: 'lib/reply.ts',
    text: "await ender.endOne(sessionId as SessionId, 'signedOut', userId)",
    replacement: "ender.endOne(sessionId as SessionId, 'signedOut', userId).catch(() => {})",
    test: cve,
  },
  {
    check: 'a session that is gone is not verified by an extension',
    requirement: '7.4.1',
    file: 'lib/session/verifier.ts',
    text: "return exists.then((still) => (still ? session : 'absent'))",
    replacement: 'return exists.then(() => session)',
    test: 'test/promises.test.ts',
  },
  {
    check: 'a sign-out everywhere ends all of the user’s sessions',
    requirement: '7.4.3',
    file: 'lib/reply.ts',
    text: 'if (everywhere && userId !== null) await ender.endAllOf(userId, undefined)',
    replacement: '',
    test: attacks,
  },
  {
    check: 'notBefore refuses what was created before',
    requirement: '7.4.5',
    file: 'lib/session/policy.ts',
    text: 'if (session.createdAt.getTime() < notBefore) return null',
    replacement: '',
    test: 'test/policy.test.ts',
  },
  {
    check: 'requireRecentSignIn refuses an older sign-in',
    requirement: '7.5.1',
    file: 'lib/request.ts',
    text: 'if (this.#parts.clock.now() - createdAt.getTime() <= limit) return',
    replacement: 'if (createdAt.getTime() > 0) return',
    test: 'test/policy.test.ts',
  },
  {
    check: 'maxSessionsPerUser ends the least recent one',
    requirement: '7.1.2',
    file: 'lib/session/session-limit.ts',
    text: "for (const { id, userId } of ended) await this.#ender.endOne(id, 'evicted', userId)",
    replacement: '',
    test: 'test/policy.test.ts',
  },
  {
    check: 'a guarded route refuses a request without a token',
    requirement: '7.2.1',
    file: 'lib/request.ts',
    text: 'if (policy.required) throw this.#refuse(request, reply)',
    replacement: '',
    test: 'test/plugin.test.ts',
  },
  {
    check: 'a guarded route refuses a token that is good no longer',
    requirement: '7.2.1',
    file: 'lib/request.ts',
    text: 'else if (arrival.policy.required) return this.#refuse(arrival.request, arrival.reply)',
    replacement: '',
    test: 'test/sessions.test.ts',
  },
  {
    check: 'a page of another origin sends no unsafe request with the cookie',
    requirement: '3.5.1',
    file: 'lib/request.ts',
    text: 'if (refused) throw crossOriginError(request, session, this.#parts.events)',
    replacement: '',
    test: 'test/security/cross-origin.test.ts',
  },
  {
    check: 'a page of another origin signs nobody in',
    requirement: '7.6.2',
    file: 'lib/reply.ts',
    text: 'if (!allowCrossOrigin && crossOrigin.refuses(request)) throw crossOriginError(request, null, events)',
    replacement: '',
    test: attacks,
  },
  {
    check: 'the cookie has the prefix __Host-',
    requirement: '3.3.3',
    file: 'lib/credentials/cookie.ts',
    text: "name: givenName = '__Host-session'",
    replacement: "name: givenName = 'session'",
    test: attacks,
  },
  {
    check: 'the cookie is Secure',
    requirement: '3.3.1',
    file: 'lib/credentials/cookie.ts',
    text: 'const common = { ...attributes,',
    replacement: 'const common = { ...attributes, secure: false,',
    test: cve,
  },
  {
    check: 'the cookie is SameSite=Lax',
    requirement: '3.3.2',
    file: 'lib/credentials/cookie.ts',
    text: "sameSite = 'lax', secure = true",
    replacement: "sameSite = 'none', secure = true",
    test: cve,
  },
  {
    check: 'the cookie is HttpOnly',
    requirement: '3.3.4',
    file: 'lib/credentials/cookie.ts',
    text: 'httpOnly: true',
    replacement: 'httpOnly: false',
    test: cve,
  },
  {
    check: 'what shows a session is not stored by caches',
    requirement: '14.3.2',
    file: 'lib/response-headers.ts',
    text: "if (!reply.hasHeader('cache-control')) reply.header('cache-control', 'no-store')",
    replacement: '',
    test: cve,
  },
  {
    check: 'the log names sessions by their ids',
    requirement: '16.2.5',
    file: 'lib/session/events.ts',
    text: 'const { id: sessionId } = result.session',
    replacement: 'const sessionId = result.token as string as SessionId',
    test: 'test/security/logs.test.ts',
  },
  {
    check: 'calls on one reply take effect in their order',
    requirement: '7.2.4',
    file: 'lib/reply.ts',
    text: 'const result = state.queue.then(work)',
    replacement: 'const result = work()',
    test: 'test/races.test.ts',
  },
  {
    check: 'the latest activity stands, in whatever order it is written',
    requirement: 'promise 2',
    file: 'lib/stores/memory.ts',
    text: 'stored.lastActivityAt = Math.max(stored.lastActivityAt, to.lastActivityAt.getTime())',
    replacement: 'stored.lastActivityAt = to.lastActivityAt.getTime()',
    test: 'test/races.test.ts',
  },
]
