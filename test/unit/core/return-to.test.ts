import fc from 'fast-check'
import t from 'tap'
import { returnTo } from '../../../lib/index.js'

const settings = {
  origin: 'https://app.example',
  allowedOrigins: ['https://docs.example:8443'],
  fallback: '/home',
}
const home = 'https://app.example/home'

t.test('a page of the own origin, or of a listed one', async (t) => {
  for (const [next, expected] of [
    ['/', 'https://app.example/'],
    ['/inbox?page=2#top', 'https://app.example/inbox?page=2#top'],
    ['/é', 'https://app.example/%C3%A9'],
    ['/a/../b', 'https://app.example/b'],
    ['https://app.example/x', 'https://app.example/x'],
    ['HTTPS://APP.EXAMPLE/x', 'https://app.example/x'],
    ['https://docs.example:8443/x', 'https://docs.example:8443/x'],
    ['/.//evil.example', 'https://app.example//evil.example'],
  ]) {
    t.equal(returnTo(next, settings), expected)
  }
})

t.test('anything else is the fallback', async (t) => {
  for (const next of [
    undefined,
    null,
    7,
    ['/a'],
    '',
    'inbox',
    '//evil.example',
    '///evil.example',
    '/\\evil.example',
    '\\\\evil.example',
    '/\t/evil.example',
    '/\n/evil.example',
    ' //evil.example',
    'https:evil.example',
    'https:/evil.example',
    'https:\\\\evil.example',
    'https:///evil.example',
    'https://evil.example/',
    'https://app.example.evil.example/',
    'https://app.example@evil.example/',
    'https://user@app.example/',
    'https://user:password@app.example/',
    'https://:password@app.example/',
    'http://app.example/',
    'https://app.example:8443/',
    'https://docs.example/',
    'https://',
    'https://[',
    'javascript:alert(1)',
    'data:text/html,x',
    'blob:https://app.example/x',
    'ftp://app.example/',
    '/a\0',
    '/a\u0085b',
    '/a b',
    `/${'a'.repeat(2_000)}`,
    `/${'é'.repeat(400)}`,
  ]) {
    t.equal(returnTo(next, settings), home, JSON.stringify(next)?.slice(0, 40))
  }
})

t.test('without an origin the own pages are paths', async (t) => {
  const allowedOrigins = ['https://docs.example']
  for (const [next, expected] of [
    ['/inbox?page=2#top', '/inbox?page=2#top'],
    ['/a/../b', '/b'],
    ['https://docs.example/x', 'https://docs.example/x'],
    ['https://app.example/x', '/home'],
    ['https://unnamed.invalid/x', '/home'],
    ['//unnamed.invalid/x', '/home'],
  ] as const) {
    t.equal(returnTo(next, { allowedOrigins, fallback: '/home' }), expected, next)
  }
  t.equal(returnTo('/inbox'), '/inbox')
  t.equal(returnTo(undefined), '/')
})

t.test('without an origin no path is returned that a browser takes for a host', async (t) => {
  for (const next of ['/.//evil.example', '/..//evil.example', '/a/..//evil.example', '/%2e//evil.example']) {
    t.equal(returnTo(next), '/', next)
  }
})

t.test('options that are wrong are refused at the call', async (t) => {
  for (const [options, name] of [
    [{ origin: 'app.example' }, /origin/],
    [{ origin: 'https://app.example/' }, /origin/],
    [{ origin: 'ftp://app.example' }, /origin/],
    [{ allowedOrigins: 'https://app.example' }, /allowedOrigins/],
    [{ allowedOrigins: ['https://app.example/x'] }, /allowedOrigins\[0\]/],
    [{ fallback: '//evil.example' }, /fallback/],
    [{ fallback: 'home' }, /fallback/],
    [{ fallBack: '/' }, /fallBack/],
  ] as const) {
    t.throws(() => returnTo('/', options as never), { code: 'GOSESH_ERR_OPTION', message: name })
  }
  t.equal(returnTo('/x', { origin: 'http://intranet' }), 'http://intranet/x')
})

/** How a browser reads a `Location` on a page of the application. */
function browserGoesTo(location: string): string {
  return new URL(location, 'https://app.example/auth/acme/callback').origin
}

t.test('no string leads to an origin that is not listed', async (t) => {
  const pieces = fc.constantFrom(
    ...[
      '/',
      '\\',
      '//',
      'https:',
      'http:',
      'javascript:',
      '@',
      ':',
      '?',
      '#',
      '.',
      '..',
      '%2f',
      '%5c',
      '%00',
    ],
    ...['\t', '\n', '\r', '\0', ' ', '\u2028', '\u3002', '\uff0f', '[', ']'],
    ...['app.example', 'docs.example:8443', 'evil.example', 'user', 'ＡPP.example'],
  )
  const text = fc.string({ unit: 'binary', maxLength: 3 })
  const rest = fc.array(fc.oneof(pieces, fc.stringMatching(/^[a-z\d]$/), text), { maxLength: 6 })
  const start = fc.constantFrom('/', '/', 'https://app.example', 'https://docs.example:8443', 'https://', '')
  const composed = fc.tuple(start, rest).map(([first, parts]) => first + parts.join(''))
  const anything = fc.oneof(composed, composed, fc.webUrl(), fc.string({ unit: 'binary' }))
  let left = 0
  let onPaths = 0
  fc.assert(
    fc.property(anything, (next) => {
      const result = returnTo(next, settings)
      if (result !== home) left += 1
      const stays = ['https://app.example', 'https://docs.example:8443'].includes(browserGoesTo(result))
      const path = returnTo(next)
      if (path !== '/') onPaths += 1
      const staysOnPath = browserGoesTo(path) === 'https://app.example' && /^\/[\x21-\x7e]*$/.test(path)
      // Absolute, safe in a header, and the same when it is judged anew.
      const isSafe = /^https:\/\/[\x21-\x7e]+$/.test(result) && returnTo(result, settings) === result
      return stays && isSafe && staysOnPath && returnTo(path) === path
    }),
    { numRuns: 5_000 },
  )
  t.ok(left > 300, `${left} of 5,000 led somewhere`)
  t.ok(onPaths > 150, `${onPaths} of 5,000 led to a path`)
})
