import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import t from 'tap'

const server = fileURLToPath(new URL('../fixtures/shutdown-server.ts', import.meta.url))

interface Outcome {
  readonly status: number
  readonly body: string
}

/** Requests one after another until the server no longer takes any. */
async function load(url: string, cookie: string, outcomes: Outcome[]): Promise<void> {
  for (;;) {
    try {
      const response = await fetch(`${url}/me`, { headers: { cookie } })
      outcomes.push({ status: response.status, body: await response.text() })
    } catch {
      return
    }
    if (outcomes.at(-1)?.status !== 200) return
  }
}

t.test(
  'SIGTERM under load: no accepted request fails, and the last activity of each session is stored',
  async (t) => {
    const child = spawn(process.execPath, [...process.execArgv, server], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    t.teardown(() => child.kill('SIGKILL'))
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    const { port } = JSON.parse((await lines.next()).value)
    const url = `http://127.0.0.1:${port}`

    const cookies: string[] = []
    for (let i = 0; i < 20; i++) {
      const response = await fetch(`${url}/login`, { method: 'POST' })
      cookies.push((response.headers.get('set-cookie') ?? '').split(';')[0] as string)
    }
    const outcomes: Outcome[] = []
    const running = Promise.all(cookies.map((cookie) => load(url, cookie, outcomes)))
    while (outcomes.length < 500) await new Promise((resolve) => setTimeout(resolve, 5))
    child.kill('SIGTERM')
    const { arrivals, stored } = JSON.parse((await lines.next()).value)
    await running
    const [code] = await once(child, 'exit')

    t.equal(code, 0)
    t.ok(outcomes.filter(({ status }) => status === 200).length >= 500)
    const failed = outcomes.filter(
      ({ status, body }) => status !== 200 && !(status === 503 && !body.includes('GOSESH')),
    )
    t.same(failed, [], 'but for the 503 with which Fastify itself refuses requests while it closes')
    t.equal(Object.keys(arrivals).length, 20)
    t.same(stored, arrivals)
  },
)
