import fc from 'fast-check'
import { bearerKinds, cookieKinds } from './credential-kinds.js'

/** Whether a page of another origin sent it, and how a browser would say so. */
export interface OriginKind {
  readonly crossOrigin: boolean
  readonly lines: (host: string, noise: string) => readonly string[]
}

export const originKinds: Readonly<Record<string, OriginKind>> = {
  'no browser': { crossOrigin: false, lines: () => [] },
  'its own origin': { crossOrigin: false, lines: (host) => [`Origin: http://${host}`] },
  'its own origin, shouted': {
    crossOrigin: false,
    lines: (host) => [`Origin: ${`http://${host}`.toUpperCase()}`],
  },
  'a fetch of its own': { crossOrigin: false, lines: () => ['Sec-Fetch-Site: same-origin'] },
  'the address bar': { crossOrigin: false, lines: () => ['Sec-Fetch-Site: none'] },
  'a trusted origin': {
    crossOrigin: false,
    lines: () => ['Origin: https://app.example.com', 'Sec-Fetch-Site: cross-site'],
  },
  'another site': { crossOrigin: true, lines: () => ['Sec-Fetch-Site: cross-site'] },
  'a sibling': {
    crossOrigin: true,
    lines: (host) => ['Sec-Fetch-Site: same-site', `Origin: http://${host}`],
  },
  'another origin': { crossOrigin: true, lines: () => ['Origin: https://evil.example'] },
  'an opaque origin': { crossOrigin: true, lines: () => ['Origin: null'] },
  'no origin at all': { crossOrigin: true, lines: () => ['Origin:'] },
  'another scheme': { crossOrigin: true, lines: (host) => [`Origin: https://${host}`] },
  'its host as a prefix': { crossOrigin: true, lines: (host) => [`Origin: http://${host}.evil.example`] },
  'its host as user info': { crossOrigin: true, lines: (host) => [`Origin: http://${host}@evil.example`] },
  'a trusted origin and another': {
    crossOrigin: true,
    lines: () => ['Origin: https://app.example.com', 'Origin: https://evil.example'],
  },
  'both at once': {
    crossOrigin: true,
    lines: () => ['Sec-Fetch-Site: same-origin', 'Sec-Fetch-Site: cross-site'],
  },
  'a word of the future': { crossOrigin: true, lines: () => ['Sec-Fetch-Site: Same-Origin'] },
  'noise as origin': { crossOrigin: true, lines: (_host, noise) => [`Origin: ~${noise}`] },
}

/** Bodies for every route: of the right shape, of another, and of none. */
export const bodyKinds: Readonly<
  Record<string, (noise: string) => readonly [type: string, body: string] | null>
> = {
  'no body': () => null,
  'a user': (noise) => ['application/json', JSON.stringify({ user: `~${noise}` })],
  'an empty user': () => ['application/json', '{"user":""}'],
  'a long user': (noise) => ['application/json', JSON.stringify({ user: noise + 'u'.repeat(1_001) })],
  'a user with a NUL': () => ['application/json', '{"user":"a\\u0000b"}'],
  'half a character': () => ['application/json', '{"user":"\\ud800"}'],
  'the name of a prototype': () => ['application/json', '{"user":"__proto__"}'],
  'a poisoned prototype': () => ['application/json', '{"__proto__":{"user":"admin"}}'],
  'a list': () => ['application/json', '[["user","ada"]]'],
  'a user that is an object': () => ['application/json', '{"user":{"toString":"ada"}}'],
  'broken JSON': (noise) => ['application/json', `{"user":"${noise}`],
  text: (noise) => ['text/plain', noise],
  'an unknown type': (noise) => ['application/x-noise', noise],
  'no type': (noise) => ['', noise],
  'much text': () => ['text/plain', 'x'.repeat(20_000)],
}

export const extraKinds: Readonly<Record<string, (noise: string) => readonly string[]>> = {
  'nothing more': () => [],
  'an upgrade': () => ['Connection: Upgrade', 'Upgrade: websocket'],
  'another method asked for': () => ['X-HTTP-Method-Override: GET', 'X-Method-Override: GET', '_method: GET'],
  'a proxy that is none': () => [
    'X-Forwarded-Host: evil.example',
    'X-Forwarded-Proto: https',
    'X-Forwarded-For: 127.0.0.1',
    'Forwarded: for=127.0.0.1;host=evil.example',
  ],
  'names of a prototype': () => [
    '__proto__: {"session":{"userId":"admin"}}',
    'constructor: x',
    'hasOwnProperty: x',
  ],
  'a session that is claimed': () => ['Session: admin', 'X-User-Id: admin', 'Session-Id: 1'],
  'noise in a header': (noise) => [`X-Noise: ${noise}`],
  'many headers': (noise) => Array.from({ length: 40 }, (_, index) => `X-${index}: ${noise.slice(0, 40)}`),
  'an odd accept': (noise) => [`Accept: ${noise}`, `Accept-Encoding: ${noise}`, `User-Agent: ${noise}`],
}

/** What no HTTP server understands; each is answered, if at all, with 400 or 431. */
export const brokenKinds: Readonly<Record<string, (head: string, cookie: string) => string>> = {
  'a NUL in a header': (head, cookie) => `${head}\r\nCookie: ${cookie}\0\r\n\r\n`,
  'a carriage return in a header': (head, cookie) => `${head}\r\nCookie: ${cookie}\rX: y\r\n\r\n`,
  'a blank in a header name': (head, cookie) => `${head}\r\nCookie : ${cookie}\r\n\r\n`,
  'a header without a colon': (head, cookie) => `${head}\r\n${cookie}\r\n\r\n`,
  'a header that is too long': (head, cookie) =>
    `${head}\r\nCookie: ${cookie}; x=${'x'.repeat(20_000)}\r\n\r\n`,
  'two lengths': (head, cookie) =>
    `${head}\r\nCookie: ${cookie}\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx`,
  'a length and chunks': (head, cookie) =>
    `${head}\r\nCookie: ${cookie}\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  'no such method': (_head, cookie) => `SIGNIN /act HTTP/1.1\r\nHost: x\r\nCookie: ${cookie}\r\n\r\n`,
  'no host': (_head, cookie) => `GET /act HTTP/1.1\r\nCookie: ${cookie}\r\n\r\n`,
  'no HTTP': (_head, cookie) => `Cookie: ${cookie}\r\n\r\n`,
}

/** Characters that may be in a header field (RFC 9110, section 5.5), obs-text too, but for the semicolon. */
const noise = fc.uint8Array({ maxLength: 120 }).map((bytes) => {
  const taken = bytes.filter((byte) => byte >= 0x20 && byte !== 0x7f && byte !== 0x3b)
  return Buffer.from(taken).toString('latin1')
})

/** An unsafe or a safe one, well-known or not. */
const method = fc.constantFrom(
  ...['GET', 'GET', 'HEAD', 'OPTIONS', 'POST', 'POST', 'PUT', 'PATCH', 'DELETE'],
  ...['PROPFIND', 'SEARCH', 'LOCK', 'M-SEARCH', 'PURGE'],
)

/** A route, by a method that it has. */
const routes = [
  'GET /whoami',
  'GET /me',
  'GET /poll',
  'GET /health',
  'GET /recent',
  'GET /throws',
  'POST /enter',
  'POST /plain/enter',
  'POST /logout',
  'POST /logout-everywhere',
  'HEAD /me',
] as const

const target = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(...routes).map((route) => ({ kind: route, route })) },
  { weight: 3, arbitrary: method.map((verb) => ({ kind: `${verb} /act`, route: `${verb} /act` })) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(
        method,
        fc.constantFrom(
          ...['/me?', '/me/', '//me', '/%6de', '/ME', '/me;x', '/me/../health', '/nowhere', '*', '/me%00'],
          ...['http://evil.example/me', '/me#x', '/act?__proto__[session]=1', '/whoami?session=admin', '/%'],
        ),
      )
      .map(([verb, url]) => ({ kind: `a detour, ${url}`, route: `${verb} ${url}` })),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(method, fc.webPath(), fc.webQueryParameters())
      .map(([verb, path, query]) => ({ kind: 'any address', route: `${verb} ${path || '/'}?${query}` })),
  },
)

function kindOf(kinds: Readonly<Record<string, unknown>>): fc.Arbitrary<string> {
  return fc.constantFrom(...Object.keys(kinds))
}

/** The kind that means nothing as often as all the others, so that each is met alone, too. */
function mostly(usual: string, kinds: Readonly<Record<string, unknown>>): fc.Arbitrary<string> {
  return fc.oneof(fc.constant(usual), kindOf(kinds))
}

const parts = {
  /** Which of the devices that are signed in. */
  cookieDevice: fc.nat(11),
  bearerDevice: fc.nat(11),
  deadToken: fc.nat(23),
  at: fc.nat(65),
  noise,
}

/** A request, as the kinds that it is made of. */
export const anyRequest = fc.oneof(
  {
    weight: 60,
    arbitrary: fc.record({
      ...parts,
      target,
      cookie: kindOf(cookieKinds),
      bearer: mostly('no bearer', bearerKinds),
      origin: mostly('no browser', originKinds),
      body: mostly('no body', bodyKinds),
      extra: mostly('nothing more', extraKinds),
    }),
  },
  { weight: 1, arbitrary: fc.record({ ...parts, broken: kindOf(brokenKinds) }) },
)

type Generated = typeof anyRequest extends fc.Arbitrary<infer T> ? T : never
export type BrokenRequest = Extract<Generated, { broken: unknown }>
export type WholeRequest = Exclude<Generated, BrokenRequest>

/** All kinds that a run must have met. */
export function allKinds(): string[] {
  return [
    ...Object.keys(cookieKinds).map((kind) => `cookie: ${kind}`),
    ...Object.keys(bearerKinds).map((kind) => `bearer: ${kind}`),
    ...Object.keys(originKinds).map((kind) => `origin: ${kind}`),
    ...Object.keys(bodyKinds).map((kind) => `body: ${kind}`),
    ...Object.keys(extraKinds).map((kind) => `extra: ${kind}`),
    ...Object.keys(brokenKinds).map((kind) => `broken: ${kind}`),
    ...routes.map((route) => `target: ${route}`),
  ]
}
