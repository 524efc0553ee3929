// @ts-check

/** @import { Mutation } from './types.js' */

/** @type {readonly Mutation[]} */
export const oauthMutations = [
  {
    check: 'ids past what a number holds are read exactly',
    requirement: '6.8.1',
    file: 'lib/oauth/exact-json.ts',
    text: '(isUnsafeInteger(found) ?',
    replacement: '(found === null ?',
    test: 'test/oauth/providers.test.ts',
  },
  {
    check: 'a subject that was rounded names nobody',
    requirement: '6.8.1',
    file: 'lib/oauth/client.ts',
    text: 'if (Number.isSafeInteger(subject)) return String(subject)',
    replacement: 'if (Number.isFinite(subject)) return String(subject)',
    test: 'test/oauth/providers.test.ts',
  },
  {
    check: 'an ID token that nothing verified says nothing',
    requirement: '6.8.2',
    file: 'lib/oauth/client.ts',
    text: "(this.provider.kind === 'oidc' && tokens.claims()) || null",
    replacement: 'tokens.claims() ?? null',
    test: 'test/oauth/providers.test.ts',
  },
  {
    check: 'an address and whether it is verified come from one source',
    requirement: '6.8.1',
    file: 'lib/oauth/client.ts',
    text: "'email' in verified ? rest : userInfo",
    replacement: 'userInfo',
    test: 'test/oauth/providers.test.ts',
  },
  {
    check: 'organizations admits no personal Microsoft account',
    requirement: '6.8.1',
    file: 'lib/oauth/ready-made.ts',
    text: 'tid.toLowerCase() !== personalAccounts',
    replacement: "tid !== ''",
    test: 'test/oauth/providers.test.ts',
  },
  {
    check: 'ID tokens are exchanged only if the application asks for it',
    requirement: '10.5.1',
    file: 'lib/oauth/token-routes.ts',
    text: 'clients.filter(({ client }) => client.provider.idTokenExchange)',
    replacement: 'clients',
    test: 'test/oauth/tokens.test.ts',
  },
  {
    check: 'an ID token is exchanged once',
    requirement: '10.5.1',
    file: 'lib/oauth/token-routes.ts',
    text: "throw unverifiedError('the ID token was used before')",
    replacement: '',
    test: 'test/oauth/tokens.test.ts',
  },
  {
    check: 'an ID token is exchanged for ten minutes',
    requirement: '10.5.1',
    file: 'lib/oauth/jwt-verifier.ts',
    text: 'maxTokenAge: maxTokenAge / 1_000,',
    replacement: 'maxTokenAge: 1e9,',
    test: 'test/oauth/tokens.test.ts',
  },
  {
    check: 'a sign-in that is asked for anew is verified',
    requirement: '10.5.2',
    file: 'lib/oauth/client.ts',
    text: 'if (maxAge !== null) checkAuthTime(claims?.auth_time, startedAt - maxAge)',
    replacement: '',
    test: 'test/oauth/sign-in.test.ts',
  },
]
