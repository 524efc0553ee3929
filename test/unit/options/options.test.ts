import t from 'tap'
import {
  bearerCredential,
  type CookieCredentialOptions,
  cookieCredential,
  type GoseshOptions,
  MemoryStore,
} from '../../../lib/index.js'
import { buildApp } from '../../tools/app.js'

const badNumbers = [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '30', null, 1n]

t.test('a wrong option fails start-up, naming the option, the value and what would be right', async (t) => {
  const cases: [options: unknown, message: RegExp][] = [
    [{ stores: 1 }, /^Option stores is 1; expected no such option; known are store, credentials/],
    [{ store: {} }, /^Option store is an object; expected a session store, with the methods upsertUser/],
    [{ store: null }, /^Option store is null/],
    [{ store: 'postgres://app:s3cret@db/app' }, /^Option store is a string; expected/],
    [{ password: 's3cret' }, /^Option password is a string; expected no such option/],
    [{ stores: [] }, /^Option stores is an array/],
    [{ credentials: [] }, /^Option credentials is \[\]; expected a list of credentials/],
    [{ credentials: cookieCredential() }, /^Option credentials is/],
    [
      { credentials: [cookieCredential] },
      /^Option credentials\[0\] is \[Function: cookieCredential\]; expected a cred/,
    ],
    [{ credentials: [{ read() {} }] }, /^Option credentials\[0\].name is undefined; expected a string/],
    [{ credentials: [{ ...bearerCredential(), header: 1 }] }, /^Option credentials\[0\].header is 1/],
    [
      { credentials: [{ ...bearerCredential(), challenge: undefined }] },
      /^Option credentials\[0\].challenge is undef/,
    ],
    [
      { credentials: [{ ...bearerCredential(), write: true }] },
      /^Option credentials\[0\].write is true; expected a fu/,
    ],
    [{ credentials: [{ ...bearerCredential(), absoluteTimeout: 0 }] }, /^Option absoluteTimeout is 0/],
    [
      { credentials: [{ ...bearerCredential(), idleTimeout: undefined }] },
      /^Option credentials\[0\].idleTimeout is undefined; expected milliseconds, or null/,
    ],
    [
      { store: MemoryStore },
      /^Option store is \[class MemoryStore\]; expected an instance, such as new MemoryStore/,
    ],
    [{ logger: {} }, /^Option logger is {}; expected a logger with debug, info, warn and error/],
    [{ logger: 'pino' }, /^Option logger is 'pino'/],
    [{ clock: {} }, /^Option clock is {}; expected an object with the method now/],
    [{ clock: null }, /^Option clock is null/],
    [{ activityTracking: true }, /^Option activityTracking is true; expected an object/],
    [{ activityTracking: null }, /^Option activityTracking is null; expected an object/],
    [{ activityTracking: [] }, /^Option activityTracking is \[\]; expected an object/],
    [
      { activityTracking: { interval: 5 } },
      /^Option activityTracking.interval is 5; expected no such option; known are/,
    ],
    [
      { activityTracking: { onFlushError: 1 } },
      /^Option activityTracking.onFlushError is 1; expected a function/,
    ],
    [
      { storeTimeout: 2_147_483_648 },
      /^Option storeTimeout is 2147483648; expected a whole number of milliseconds/,
    ],
  ]
  for (const name of ['refreshInterval', 'storeTimeout', 'sweepInterval']) {
    for (const value of badNumbers) {
      if (name === 'sweepInterval' && value === null) continue
      cases.push([
        { [name]: value },
        new RegExp(`^Option ${name} is .*; expected a whole number of milliseconds from 1`),
      ])
    }
  }
  for (const name of ['flushInterval', 'flushTimeout', 'maxBatchSize', 'maxPending']) {
    for (const value of badNumbers) {
      cases.push([
        { activityTracking: { [name]: value } },
        new RegExp(`^Option activityTracking.${name} is .*; expected a whole number`),
      ])
    }
  }
  for (const [options, message] of cases) {
    const app = buildApp(t, options as GoseshOptions)
    await t.rejects(Promise.resolve(app.ready()), { code: 'GOSESH_ERR_OPTION', message }, String(message))
  }
})

t.test('what app.register itself takes is let through', async (t) => {
  await buildApp(t, { prefix: '/x', logLevel: 'warn' } as GoseshOptions).ready()
  t.pass()
})

t.test('a wrong cookie option throws, naming it', async (t) => {
  const day = 86_400_000
  const cases: [options: unknown, message: RegExp][] = [
    [{ nam: 'x' }, /^Option cookieCredential.nam is a string; expected no such option; known are name/],
    [[], /^Option cookieCredential is \[\]; expected an object/],
    [{ name: '' }, /^Option name is ''; expected a cookie name/],
    [{ name: 'a b' }, /^Option name is 'a b'/],
    [{ name: 'a;b' }, /^Option name is 'a;b'/],
    [{ name: 'sid', domain: 'a b' }, /^Option domain is 'a b'; expected a domain name/],
    [{ name: 'sid', domain: '' }, /^Option domain is ''/],
    [{ name: 'sid', path: 'app' }, /^Option path is 'app'; expected a path that begins with \//],
    [{ name: 'sid', path: '/a;b' }, /^Option path is/],
    [{ sameSite: 'Lax' }, /^Option sameSite is 'Lax'; expected 'strict', 'lax' or 'none'/],
    [{ secure: 'auto' }, /^Option secure is 'auto'; expected true or false/],
    [{ partitioned: 1 }, /^Option partitioned is 1; expected true or false/],
    [
      { domain: 'a.example' },
      /^Option domain is 'a.example'; expected none, as the name begins with __host-/,
    ],
    [{ path: '/app' }, /^Option path is '\/app'; expected \/, as the name begins with __host-/],
    [{ secure: false }, /^Option secure is false; expected true, as the name begins with __host-/],
    [{ name: '__HOST-x', path: '/app' }, /^Option path/],
    [
      { name: '__Secure-x', secure: false },
      /^Option secure is false; expected true, as the name begins with __secure-/,
    ],
    [{ name: '__Http-x', secure: false }, /^Option secure/],
    [{ name: '__Host-Http-x', path: '/app' }, /^Option path/],
    [
      { name: 'x', sameSite: 'none', secure: false },
      /^Option secure is false; expected true, as sameSite is none/,
    ],
    [
      { name: 'x', partitioned: true, secure: false },
      /^Option secure is false; expected true, as the cookie is part/,
    ],
    [{ absoluteTimeout: 400 * day + 1 }, /^Option absoluteTimeout is 34560000001; expected at most 400 days/],
    [
      { idleTimeout: 2 * day },
      /^Option idleTimeout is 172800000; expected at most absoluteTimeout \(86400000\), or null/,
    ],
    [{ absoluteTimeout: null }, /^Option absoluteTimeout is null/],
  ]
  for (const value of badNumbers) {
    if (value !== null)
      cases.push([{ idleTimeout: value }, /^Option idleTimeout is .*; expected a whole number/])
    cases.push([{ absoluteTimeout: value }, /^Option absoluteTimeout is .*; expected a whole number/])
  }
  for (const [options, message] of cases) {
    t.throws(() => cookieCredential(options as CookieCredentialOptions), {
      code: 'GOSESH_ERR_OPTION',
      message,
    })
  }
})

t.test('the prefixes that ask for less get it', async (t) => {
  t.ok(cookieCredential({ name: '__Secure-sid', domain: 'app.example', path: '/app' }))
  t.ok(cookieCredential({ name: '__Http-sid', path: '/app' }))
  t.ok(cookieCredential({ name: 'sid', secure: false, absoluteTimeout: 400 * 86_400_000 }))
})

t.test('the default idle timeout gives way to a shorter absolute one', async (t) => {
  t.match(cookieCredential({ absoluteTimeout: 60_000 }), { idleTimeout: 60_000, absoluteTimeout: 60_000 })
})

t.test('a wrong bearer option throws, naming it', async (t) => {
  t.throws(() => bearerCredential({ idle: 1 } as object), { message: /^Option bearerCredential.idle is 1/ })
  t.throws(() => bearerCredential({ absoluteTimeout: 0 }), { message: /^Option absoluteTimeout is 0/ })
  t.throws(() => bearerCredential({ idleTimeout: 5, absoluteTimeout: 4 }), {
    message: /^Option idleTimeout is 5/,
  })
})

t.test('the documented defaults are the real ones', async (t) => {
  const minute = 60_000
  t.match(cookieCredential(), { idleTimeout: 30 * minute, absoluteTimeout: 24 * 60 * minute })
  t.match(bearerCredential(), { idleTimeout: null, absoluteTimeout: 30 * 24 * 60 * minute })
  const { parseOptions } = await import('../../../lib/options/options.js')
  const app = buildApp(t)
  const settings = parseOptions({ activityTracking: {} }, app)
  t.match(settings, {
    refreshInterval: minute,
    storeTimeout: 2_000,
    sweepInterval: undefined,
    clock: Date,
    logger: app.log,
    activityTracking: {
      flushInterval: 30_000,
      flushTimeout: 5_000,
      maxBatchSize: 5_000,
      maxPending: 1_000_000,
    },
  })
  t.ok(settings.store instanceof MemoryStore)
  t.equal(settings.activityTracking?.onFlushError({} as never), undefined)
  t.ok(
    Object.isFrozen(settings) &&
      Object.isFrozen(settings.credentials) &&
      Object.isFrozen(settings.activityTracking),
  )
  t.equal(parseOptions({ activityTracking: false }, app).activityTracking, null)
})

t.test('what turns an option off is named', async (t) => {
  const { parseOptions } = await import('../../../lib/options/options.js')
  const app = (await import('fastify')).default()
  for (const [options, message] of [
    [
      { activityTracking: true },
      /is true; expected an object, where {} turns tracking on with its defaults, or false$/,
    ],
    [{ sweepInterval: false }, /^Option sweepInterval is false; .*, or null for never$/],
  ] as const) {
    t.throws(() => parseOptions(options as never, app), { code: 'GOSESH_ERR_OPTION', message })
  }
  t.throws(() => cookieCredential({ idleTimeout: 0 }), {
    message: /^Option idleTimeout is 0; .*, or null for no idle limit$/,
  })
  t.throws(() => cookieCredential({ secure: false }), { message: /without TLS use name: 'session'$/ })
  t.throws(() => cookieCredential({ name: '__Secure-sid', secure: false }), {
    message: /without TLS use name: 'sid'$/,
  })
  t.throws(() => cookieCredential({ name: '__Host-', secure: false }), {
    message: /without TLS use name: 'session'$/,
  })
})

t.test('a route’s config.session', async (t) => {
  t.test('that is wrong fails when the route is declared', async (t) => {
    const app = buildApp(t)
    await app.after()
    for (const [session, message] of [
      [
        { require: true },
        /^Option config.session.require is true; expected no such option; known are required, activ/,
      ],
      [{ required: 'yes' }, /^Option config.session.required is 'yes'; expected true or false/],
      [{ activity: null }, /^Option config.session.activity is null/],
      [true, /^Option config.session is true; expected false or an object/],
      [null, /^Option config.session is null; expected an object/],
    ] as const) {
      t.throws(() => app.get('/x', { config: { session: session as never } }, async () => 'in'), {
        code: 'GOSESH_ERR_OPTION',
        message,
      })
    }
  })

  t.test('that is wrong on a route declared before the plugin guards it all the same', async (t) => {
    const app = (await import('fastify')).default()
    t.teardown(() => app.close())
    app.get('/early', { config: { session: { require: true } as never } }, async () => 'in')
    app.register((await import('../../../lib/index.js')).default)
    const response = await app.inject('/early')
    t.match(response.json(), { statusCode: 500, code: 'GOSESH_ERR_OPTION' })
  })
})
