import t from 'tap'
import { cookieCredential } from '../../../lib/index.js'
import { buildApp } from '../../tools/app.js'

const day = 86_400_000

t.test('a wrong option visitors fails at start-up, and a right one is in the policy', async (t) => {
  for (const [visitors, message] of [
    [true, /^Option visitors is true; expected an object/],
    [{ idleTimeout: 0 }, /^Option visitors.idleTimeout is 0/],
    [{ idleTimeout: 401 * day }, /^Option visitors.idleTimeout is .*; expected at most 400 days/],
    [{ cookie: { idleTimeout: 1 } }, /^Option visitors.cookie.idleTimeout/],
    [{ cookie: { name: 'a b' } }, /^Option name is 'a b'/],
  ] as const) {
    await t.rejects(Promise.resolve(buildApp(t, { visitors: visitors as never }).ready()), { message })
  }
  const app = buildApp(t, {
    visitors: { cookie: { name: 'v', secure: false } },
    credentials: [cookieCredential()],
  })
  await app.ready()
  t.same(app.gosesh.policy.visitors, { idleTimeout: 7 * day, cookieName: 'v' })
})
