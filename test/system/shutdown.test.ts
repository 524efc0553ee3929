import t from 'tap'
import { type Answer, AppNode } from '../tools/node.js'

/** Requests one after another until the server no longer takes any. */
async function load(node: AppNode, cookie: string, answers: Answer[]): Promise<void> {
  for (;;) {
    try {
      answers.push(await node.request('GET', '/me', cookie))
    } catch {
      return
    }
    if (answers.at(-1)?.status !== 200) return
  }
}

t.test(
  'SIGTERM under load: no accepted request fails, and the last activity of each session is stored',
  async (t) => {
    const node = await AppNode.start(t, { STORE: 'memory' })
    const sessions = await Promise.all(Array.from({ length: 20 }, () => node.signIn('ada')))
    const answers: Answer[] = []
    const running = Promise.all(sessions.map(({ cookie }) => load(node, cookie, answers)))
    while (answers.length < 500) await new Promise((resolve) => setTimeout(resolve, 5))
    const { report, code } = await node.terminate()
    await running

    t.equal(code, 0)
    t.ok(answers.filter(({ status }) => status === 200).length >= 500)
    const failed = answers.filter(
      ({ status, body }) => status !== 200 && (status !== 503 || body.includes('GOSESH')),
    )
    t.same(failed, [], 'but for the 503 with which Fastify itself refuses requests while it closes')
    t.equal(Object.keys(report.arrivals).length, 20)
    t.same(report.stored, report.arrivals)
  },
)
