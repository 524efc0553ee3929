import { createHash } from 'node:crypto'

/** What a credential is to the application: nothing, a token that is good no longer or never was, a token of a session. */
type Meaning = 'absent' | 'dead' | 'live'

/** What a kind of credential is written with. */
export interface Material {
  readonly live: string
  readonly dead: string
  /** Letters and marks that a header takes, but for the semicolon. */
  readonly noise: string
  /** A place in a token. */
  readonly at: number
}

/** One way to send, or to abuse, a credential: its meaning, and the header lines that it is. */
interface CredentialKind {
  readonly means: Meaning
  readonly lines: (given: Material) => readonly string[]
}

type Kinds = Readonly<Record<string, CredentialKind>>

/** The dot between id and secret stays: without it nothing is shaped like a token. */
function replaceAt(text: string, at: number, by: (character: string) => string): string {
  const place = text.charAt(at) === '.' ? at + 1 : at
  return text.slice(0, place) + by(text.charAt(place)) + text.slice(place + 1)
}

const another = (character: string): string => (character === 'A' ? 'B' : 'A')
const percent = (character: string): string => `%${character.charCodeAt(0).toString(16)}`
const hashOf = (text: string): string => createHash('sha256').update(text).digest('base64url')
const idOf = (token: string): string => token.slice(0, 22)
const secretOf = (token: string): string => token.slice(23)

/** The cookie with this value. */
function value(means: Meaning, of: (given: Material) => string): CredentialKind {
  return { means, lines: (given) => [`Cookie: __Host-session=${of(given)}`] }
}

/** The whole header. */
function line(means: Meaning, of: (given: Material) => string): CredentialKind {
  return { means, lines: (given) => [of(given)] }
}

const name = '__Host-session'

export const cookieKinds: Kinds = {
  'no cookie': { means: 'absent', lines: () => [] },
  'a session': value('live', ({ live }) => live),
  'a session among others': line(
    'live',
    ({ live, dead, noise }) => `Cookie: theme=${noise}; ${name}=${live}; ${name}=${dead}; ${name}=x`,
  ),
  'a session in the second header': {
    means: 'live',
    lines: ({ live }) => ['Cookie: theme=dark', `Cookie: ${name}=${live}`],
  },
  'a session amid blanks': line('live', ({ live }) => `Cookie: a=b;\t ${name} = \t${live} ; c=d`),
  'a session, percent-encoded': value('absent', ({ live, at }) => replaceAt(live, at, percent)),
  'a session beside much else': line(
    'live',
    ({ live, noise }) => `Cookie: ${`k=${noise}; `.repeat(8)}${name}=${live}; ${'x'.repeat(4_000)}=y`,
  ),
  'an ended session': value('dead', ({ dead }) => dead),
  'an ended session before a good one': line(
    'dead',
    ({ live, dead }) => `Cookie: ${name}=${dead}; ${name}=${live}`,
  ),
  'the id of a session': value('absent', ({ live }) => idOf(live)),
  'the secret of a session': value('absent', ({ live }) => secretOf(live)),
  'the id of a session and a guess': value('dead', ({ live, noise }) => `${idOf(live)}.${hashOf(noise)}`),
  'the id of a session and an old secret': value(
    'dead',
    ({ live, dead }) => `${idOf(live)}.${secretOf(dead)}`,
  ),
  'the id of a session and the hash of its secret': value(
    'dead',
    ({ live }) => `${idOf(live)}.${hashOf(`session:${secretOf(live)}`)}`,
  ),
  'another id and the secret of a session': value(
    'dead',
    ({ live, dead }) => `${idOf(dead)}.${secretOf(live)}`,
  ),
  'a token that nobody has': value(
    'dead',
    ({ noise, at }) => `${idOf(hashOf(`${at}`))}.${hashOf(`${noise}${at}`)}`,
  ),
  'a token with another character': value('dead', ({ live, at }) => replaceAt(live, at, another)),
  'a token of the same bytes, spelt otherwise': value('dead', ({ live }) => {
    // The last character holds four bits of the token, and two that mean nothing.
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    return replaceAt(live, 65, (last) => alphabet.charAt(alphabet.indexOf(last) ^ 1))
  }),
  'a token in reverse': value('absent', ({ live }) => [...live].reverse().join('')),
  'something malformed before a session': line(
    'absent',
    ({ live, noise }) => `Cookie: ${name}=!${noise}; ${name}=${live}`,
  ),
  'a token cut short': value('absent', ({ live, at }) => live.slice(0, at)),
  'a token too long': value('absent', ({ live }) => `${live}A`),
  'two tokens': value('absent', ({ live, dead }) => live + dead),
  'a token with a character of no token': value('absent', ({ live, at }) => replaceAt(live, at, () => '.')),
  'a token with a percent sign': value('absent', ({ live, at }) => replaceAt(live, at, () => '%')),
  'a token with a NUL, percent-encoded': value('absent', ({ live }) => `${live}%00`),
  'a token with a line feed, percent-encoded': value('absent', ({ live }) => `${live}%0a`),
  'a token in quotes': value('absent', ({ live }) => `"${live}"`),
  'a token with a signature': value('absent', ({ live, noise }) => `s:${live}.${noise}`),
  'a token with padding': value('absent', ({ live }) => `${live}=`),
  'a token after a no-break space': value('absent', ({ live }) => `\xa0${live}`),
  'an object': value('absent', ({ live }) => `j:{"token":"${live}"}`),
  'a name in other letters': line('absent', ({ live }) => `Cookie: __host-session=${live}`),
  'a name after a no-break space': line('absent', ({ live }) => `Cookie: \xa0${name}=${live}; a=b`),
  'a name that is percent-encoded': line('absent', ({ live }) => `Cookie: __Host%2dsession=${live}`),
  'a name with a bracket': line('absent', ({ live }) => `Cookie: ${name}[]=${live}; ${name}[0]=${live}`),
  'no name': line('absent', ({ live }) => `Cookie: =${name}=${live}; ${live}`),
  'names alike': line(
    'absent',
    ({ live }) => `Cookie: session=${live}; __Secure-session=${live}; Host-session=${live}; x${name}=${live}`,
  ),
  'names of a prototype': line(
    'absent',
    ({ live }) => `Cookie: __proto__=${live}; constructor=${live}; toString=${live}; prototype=${live}`,
  ),
  'a cookie after a comma': line('absent', ({ live }) => `Cookie: a=b, ${name}=${live}`),
  'a quoted cookie around another': line(
    'absent',
    ({ live }) => `Cookie: $Version=1; ${name}="x; a=${live}"`,
  ),
  'noise as the value': value('absent', ({ noise }) => `~${noise}`),
  'noise as the header': line('absent', ({ noise }) => `Cookie: ${noise}`),
  'a long value': value('absent', ({ noise }) => `${noise}${'x'.repeat(8_000)}`),
}

function bearer(means: Meaning, of: (given: Material) => string): CredentialKind {
  return { means, lines: (given) => [`Authorization: ${of(given)}`] }
}

export const bearerKinds: Kinds = {
  'no bearer': { means: 'absent', lines: () => [] },
  'a bearer': bearer('live', ({ live }) => `Bearer ${live}`),
  'a bearer, shouted': bearer('live', ({ live }) => `BEARER ${live}`),
  'a bearer after blanks': bearer('live', ({ live }) => ` Bearer   ${live}\t`),
  'an ended bearer': bearer('dead', ({ dead }) => `Bearer ${dead}`),
  'the id as bearer': bearer('absent', ({ live }) => `Bearer ${idOf(live)}`),
  'the id and a guess as bearer': bearer(
    'dead',
    ({ live, noise }) => `Bearer ${idOf(live)}.${hashOf(noise)}`,
  ),
  'a bearer that nobody has': bearer('dead', ({ noise }) => `Bearer ${idOf(hashOf(noise))}.${hashOf(noise)}`),
  'a bearer with another character': bearer(
    'dead',
    ({ live, at }) => `Bearer ${replaceAt(live, at, another)}`,
  ),
  'two bearers': {
    means: 'absent',
    lines: ({ live }) => [`Authorization: Bearer ${live}`, `Authorization: Bearer ${live}`],
  },
  'a bearer and something else': {
    means: 'absent',
    lines: ({ live }) => [`Authorization: Bearer ${live}`, `authorization: Basic YTpi`],
  },
  'another scheme': bearer('absent', ({ live }) => `Basic ${live}`),
  'no scheme': bearer('absent', ({ live }) => live),
  'a scheme alone': bearer('absent', () => 'Bearer'),
  'a bearer after a tab': bearer('absent', ({ live }) => `Bearer\t${live}`),
  'a bearer after a no-break space': bearer('absent', ({ live }) => `Bearer \xa0${live}`),
  'a bearer with a parameter': bearer('absent', ({ live }) => `Bearer ${live}, realm="x"`),
  'a bearer in quotes': bearer('absent', ({ live }) => `Bearer "${live}"`),
  'a bearer, percent-encoded': bearer('absent', ({ live, at }) => `Bearer ${replaceAt(live, at, percent)}`),
  'a bearer cut short': bearer('absent', ({ live, at }) => `Bearer ${live.slice(0, at)}`),
  'a bearer with padding': bearer('absent', ({ live }) => `Bearer ${live}=`),
  'a token in a header alike': {
    means: 'absent',
    lines: ({ live }) => [`Proxy-Authorization: Bearer ${live}`, `X-Authorization: Bearer ${live}`],
  },
  'noise as bearer': bearer('absent', ({ noise }) => `Bearer ${noise}~`),
}
