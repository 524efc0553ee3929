import { type ChildProcessWithoutNullStreams, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { connect } from 'node:net'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'

interface SessionView {
  readonly id: string
  readonly current: boolean
  readonly lastActivityAt: string
}

interface Demo {
  readonly process: ChildProcessWithoutNullStreams
  readonly exited: Promise<[code: number | null, signal: string | null]>
  readonly url: string
  /** The first printed command that contains `part`. */
  readonly command: (part: string) => string
}

const serverFile = fileURLToPath(new URL('../../examples/demo/server.js', import.meta.url))
const built = fileURLToPath(new URL('../../dist/lib/index.js', import.meta.url))
/** The last command that is printed, and the empty line after it. */
const guideEnd = /-H "authorization: [^\n]+\/api\/logout\n\n$/

function launch(t: Test, port: string, ...args: string[]): Pick<Demo, 'process' | 'exited'> {
  if (!existsSync(built)) throw new Error('The example runs on the built package; run npm run build first')
  const child = spawn(process.execPath, [serverFile, ...args], {
    env: { ...process.env, HOST: 'localhost', PORT: port, LOG_LEVEL: 'warn' },
  })
  const exited = once(child, 'exit') as Demo['exited']
  t.teardown(async () => {
    child.kill('SIGKILL')
    await exited
  })
  return { process: child, exited }
}

/** Everything that the stream gives until it ends, or until `enough` matches. */
async function read(stream: Readable, enough?: RegExp): Promise<string> {
  let text = ''
  for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
    text += chunk
    if (enough?.test(text)) break
  }
  return text
}

async function startDemo(t: Test, ...args: string[]): Promise<Demo> {
  const launched = launch(t, '0', ...args)
  const complaints = read(launched.process.stderr)
  const guide = await read(launched.process.stdout, guideEnd)
  const url = /http:\/\/localhost:\d+/.exec(guide)?.[0]
  if (url === undefined) throw new Error(`The example did not start: ${await complaints}`)
  const commands = guide.split('\n').filter((line) => line.startsWith('  '))
  const command = (part: string): string => {
    const found = commands.find((line) => line.includes(part))
    if (found === undefined) throw new Error(`No printed command has ${part}`)
    return found.trim()
  }
  return { ...launched, url, command }
}

/** What a shell in the folder `cwd` prints for the commands, a line each. */
async function shell(cwd: string, ...commands: string[]): Promise<string[]> {
  const { stdout } = await promisify(execFile)('sh', ['-c', commands.join('\necho\n')], { cwd })
  return stdout.split('\n')
}

async function shellJson(cwd: string, command: string) {
  const [text = ''] = await shell(cwd, command)
  return JSON.parse(text)
}

async function post(url: string, cookie = '', fields: Record<string, string> = {}, headers = {}) {
  return await fetch(url, {
    method: 'POST',
    redirect: 'manual',
    headers: { cookie, ...headers },
    body: new URLSearchParams(fields),
  })
}

/** Signs in with the form and returns the cookie as the browser would send it. */
async function signIn(demo: Demo, user: string, headers = {}): Promise<string> {
  const response = await post(`${demo.url}/sign-in`, '', { user }, headers)
  const [cookie = ''] = response.headers.getSetCookie()
  return cookie.slice(0, cookie.indexOf(';'))
}

async function listSessions(demo: Demo, cookie = ''): Promise<SessionView[]> {
  const response = await fetch(`${demo.url}/api/sessions`, { headers: { cookie } })
  return (await response.json()) as SessionView[]
}

async function statusOf(demo: Demo, path: string, cookie = ''): Promise<number> {
  const response = await fetch(`${demo.url}${path}`, { headers: { cookie }, redirect: 'manual' })
  return response.status
}

t.test('the curl commands that it prints', async (t) => {
  const demo = await startDemo(t)
  const me = demo.command('/api/me')

  t.test('sign in with a cookie jar, and the session is there', async (t) => {
    const dir = t.testdir()
    const { session } = await shellJson(dir, demo.command('/api/login'))
    const answer = await shellJson(dir, me)
    t.equal(answer.user, 'ada')
    t.equal(answer.session.id, session.id)
  })

  t.test('show that each request moves the last activity and the idle deadline', async (t) => {
    const dir = t.testdir()
    await shell(dir, demo.command('/api/login'))
    const { session: first } = await shellJson(dir, me)
    const { session: second } = await shellJson(dir, me)
    const moved = Date.parse(second.lastActivityAt) - Date.parse(first.lastActivityAt)
    t.ok(moved > 0)
    t.equal(Date.parse(second.idleDeadline) - Date.parse(first.idleDeadline), moved)
  })

  t.test('list the sessions and sign out all others', async (t) => {
    const dir = t.testdir()
    const login = demo.command('/api/login')
    await shell(dir, login.replace('jar.txt', 'other.txt'), login)
    const before: SessionView[] = await shellJson(dir, demo.command('/api/sessions'))
    const { signedOut } = await shellJson(dir, demo.command('/api/logout-everywhere-else'))
    const after: SessionView[] = await shellJson(dir, demo.command('/api/sessions'))
    const other = await shellJson(dir, me.replace('jar.txt', 'other.txt'))
    t.ok(before.length >= 2)
    t.equal(before.filter((session) => session.current).length, 1)
    t.equal(signedOut, before.length - 1)
    t.match(after, [{ current: true }])
    t.equal(after.length, 1)
    t.equal(other.code, 'GOSESH_ERR_UNAUTHENTICATED')
  })

  t.test('sign out, after which the API answers 401', async (t) => {
    const dir = t.testdir()
    const copy = 'cp jar.txt kept.txt'
    await shell(dir, demo.command('/api/login'), copy, demo.command('-c jar.txt -X POST'))
    const [jar, replayed] = await Promise.all(
      ['jar.txt', 'kept.txt'].map((file) => shellJson(dir, me.replace('jar.txt', file))),
    )
    t.equal(jar.statusCode, 401)
    t.equal(replayed.statusCode, 401, 'a copy of the cookie is worth nothing either')
  })

  t.test('use a bearer token until it is signed out', async (t) => {
    const bearerMe = demo.command('$TOKEN" http')
    const commands = [demo.command('TOKEN=$('), bearerMe, demo.command('$TOKEN" -X POST'), bearerMe]
    const [, during = '', , after = ''] = await shell(t.testdir(), ...commands)
    t.equal(JSON.parse(during).user, 'ada')
    t.equal(JSON.parse(during).session.idleDeadline, null)
    t.equal(JSON.parse(after).statusCode, 401)
  })
})

t.test('the pages', async (t) => {
  const demo = await startDemo(t)

  t.test('send an anonymous visitor to the sign-in page', async (t) => {
    const response = await fetch(`${demo.url}/`, { redirect: 'manual' })
    t.equal(response.status, 303)
    t.equal(response.headers.get('location'), '/sign-in')
  })

  t.test('sign in by form, show the session and sign out', async (t) => {
    const cookie = await signIn(demo, 'grace')
    const page = await fetch(`${demo.url}/`, { headers: { cookie } })
    const text = await page.text()
    const [session] = await listSessions(demo, cookie)
    t.match(page.headers.get('content-security-policy'), "default-src 'none'")
    t.match(text, 'Hello, Grace Hopper')
    t.match(text, 'This device')
    t.match(text, `<code>${session?.id}</code>`)
    const signedOut = await post(`${demo.url}/sign-out`, cookie)
    t.equal(signedOut.headers.get('location'), '/sign-in')
    t.equal(await statusOf(demo, '/', cookie), 303)
  })

  t.test('sign out one session of the list, and no other', async (t) => {
    const [here, there, third] = await Promise.all(['', '', ''].map(() => signIn(demo, 'grace')))
    const target = (await listSessions(demo, there)).find((session) => session.current)
    await post(`${demo.url}/sessions/${target?.id}/sign-out`, here)
    const statuses = [here, there, third].map((cookie) => statusOf(demo, '/', cookie))
    t.same(await Promise.all(statuses), [200, 303, 200])
  })

  t.test('sign out everywhere else', async (t) => {
    const [here, there] = [await signIn(demo, 'alan'), await signIn(demo, 'alan')]
    await post(`${demo.url}/sign-out-everywhere-else`, here)
    t.same(await Promise.all([here, there].map((cookie) => statusOf(demo, '/', cookie))), [200, 303])
  })

  t.test("do not sign out another user's session", async (t) => {
    const [own, foreign] = [await signIn(demo, 'alan'), await signIn(demo, 'grace')]
    const target = (await listSessions(demo, foreign)).find((session) => session.current)
    await post(`${demo.url}/sessions/${target?.id}/sign-out`, own)
    t.equal(await statusOf(demo, '/', foreign), 200)
  })

  t.test('escape what a client calls itself', async (t) => {
    const cookie = await signIn(demo, 'ada', { 'user-agent': '<b>"\'&' })
    const page = await fetch(`${demo.url}/`, { headers: { cookie } })
    const text = await page.text()
    t.match(text, '&lt;b&gt;&quot;&#39;&amp;')
    t.notMatch(text, '<b>')
  })

  t.test('refuse a user who is not there', async (t) => {
    const response = await post(`${demo.url}/sign-in`, '', { user: 'eve' })
    t.equal(response.status, 400)
    t.same(response.headers.getSetCookie(), [])
  })

  t.test('refuse a change that a page of another origin asks for', async (t) => {
    const cookie = await signIn(demo, 'ada')
    const response = await post(`${demo.url}/sign-out`, cookie, {}, { 'sec-fetch-site': 'same-site' })
    t.equal(response.status, 403)
    t.equal(await statusOf(demo, '/', cookie), 200)
  })
})

t.test('the API', async (t) => {
  const demo = await startDemo(t)
  const remove = async (cookie: string, id: string | undefined): Promise<number> =>
    (await fetch(`${demo.url}/api/sessions/${id}`, { method: 'DELETE', headers: { cookie } })).status

  t.test('deletes a session of the user; what is not one is 404', async (t) => {
    const [here, there] = [await signIn(demo, 'ada'), await signIn(demo, 'ada')]
    const foreign = await listSessions(demo, await signIn(demo, 'grace'))
    const other = (await listSessions(demo, here)).find((session) => !session.current)
    t.equal(await remove(here, foreign[0]?.id), 404)
    t.equal(await remove(here, 'malformed'), 404)
    t.equal(await remove(here, other?.id), 204)
    t.equal(await remove(here, other?.id), 404)
    t.equal(await statusOf(demo, '/api/me', there), 401)
  })

  t.test('lets a page watch the session without keeping it alive', async (t) => {
    const cookie = await signIn(demo, 'alan')
    const watch = async () => {
      const response = await fetch(`${demo.url}/api/watch`, { headers: { cookie } })
      return (await response.json()) as { session: SessionView; activity: { recorded: number } }
    }
    const [first, second] = [await watch(), await watch()]
    t.equal(second.session.lastActivityAt, first.session.lastActivityAt)
    t.equal(second.activity.recorded, first.activity.recorded)
  })

  t.test('answers a health check and serves the files of the pages', async (t) => {
    const files = ['style.css', 'session.js', 'format.js', 'icon.svg'].map((name) => `/public/${name}`)
    const statuses = await Promise.all(['/health', ...files].map((path) => statusOf(demo, path)))
    t.same(new Set(statuses), new Set([200]))
  })
})

t.test('SIGTERM ends it with exit code 0, with activity pending', async (t) => {
  const demo = await startDemo(t)
  const cookie = await signIn(demo, 'ada')
  await statusOf(demo, '/', cookie)
  demo.process.kill('SIGTERM')
  t.same(await demo.exited, [0, null])
})

t.test(
  'a second Ctrl-C does not cut short the request being answered, and its connection does not hold up the end',
  async (t) => {
    const demo = await startDemo(t)
    const port = Number(new URL(demo.url).port)
    const [idle, busy] = [connect(port, 'localhost'), connect(port, 'localhost')]
    idle.write('GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n')
    busy.write(
      'POST /sign-in HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: 8\r\nexpect: 100-continue\r\n\r\n',
    )
    await Promise.all([read(idle, /"ok"/), read(busy, /100 Continue/)])
    demo.process.kill('SIGINT')
    // The server ends idle connections when it begins to close.
    await read(idle)
    demo.process.kill('SIGINT')
    busy.write('user=ada')
    t.match(await read(busy), /^HTTP\/1.1 303 .*connection: close\r\n/s)
    t.same(await demo.exited, [0, null])
  },
)

t.test('a port that is taken is said in one line, with exit code 1', async (t) => {
  const demo = await startDemo(t)
  const { port } = new URL(demo.url)
  const second = launch(t, port)
  const complaint = await read(second.process.stderr)
  t.equal(complaint, `Port ${port} is in use; choose another one: PORT=3001 npm start\n`)
  t.same(await second.exited, [1, null])
})

t.test('with --store sqlite:PATH sessions outlive a restart, with their last activity', async (t) => {
  const store = `sqlite:${t.testdir()}/demo.db`
  const before = await startDemo(t, '--store', store)
  const cookie = await signIn(before, 'ada')
  t.equal(await statusOf(before, '/api/me', cookie), 200)
  const at = Date.now()
  before.process.kill('SIGTERM')
  t.same(await before.exited, [0, null])
  const after = await startDemo(t, '--store', store)
  const response = await fetch(`${after.url}/api/me`, { headers: { cookie } })
  const { user, session } = (await response.json()) as {
    user: string
    session: SessionView & { createdAt: string }
  }
  t.equal(user, 'ada')
  t.ok(Date.parse(session.lastActivityAt) <= at)
  t.ok(
    Date.parse(session.lastActivityAt) > Date.parse(session.createdAt),
    'the request before the restart is there',
  )
})

t.test('a store that does not exist is said in one line, with exit code 1', async (t) => {
  const { process: child, exited } = launch(t, '0', '--store', 'paper')
  t.equal(await read(child.stderr), 'Cannot start: --store is paper; expected memory, or sqlite:PATH\n')
  t.same(await exited, [1, null])
})
