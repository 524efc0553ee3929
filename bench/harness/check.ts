import { setTimeout as delay } from 'node:timers/promises'
import type { PeerSettings } from '../peers/peer.js'
import type { Candidate } from './candidate.js'
import { Program } from './program.js'

const lifetime = 2_000

/** Peers that keep nothing on the server and so cannot end a session whose cookie somebody still has. */
const cannotRevoke: ReadonlySet<string> = new Set(['secure-session'])

async function expectAnswer(url: string, cookie: string, userId: string | null, what: string): Promise<void> {
  const response = await fetch(url, { headers: cookie === '' ? {} : { cookie } })
  const body = (await response.json()) as { userId?: string }
  const right = userId === null ? response.status === 401 : response.status === 200 && body.userId === userId
  if (!right) throw new Error(`${what} was answered with ${response.status} ${JSON.stringify(body)}`)
}

/** Resolves to the second part, which takes its time. */
async function checkCandidate({ title, peer, settings }: Candidate): Promise<() => Promise<void>> {
  const program = Program.start('peer-server', {
    peer,
    settings: { ...settings, lifetime } satisfies PeerSettings,
  })
  const origin = `http://127.0.0.1:${await program.call<number>('listen')}`
  const url = `${origin}/me`
  // Users of their own: the same candidate signs in others to be measured.
  const [ada, bob] = (await program.call<string[]>('signIn', -2, 0)) as [string, string]
  await expectAnswer(url, ada, 'user--2', `${title}: a session`)
  await expectAnswer(url, bob, 'user--1', `${title}: another session`)
  await expectAnswer(url, '', null, `${title}: a stranger`)
  await fetch(`${origin}/logout`, { method: 'POST', headers: { cookie: ada } })
  if (!cannotRevoke.has(peer)) await expectAnswer(url, ada, null, `${title}: a revoked session`)
  return async () => {
    await delay(lifetime + 500)
    await expectAnswer(url, bob, null, `${title}: an expired session`)
    await program.call('close')
    await program.stop()
  }
}

/**
 * Makes sure that each candidate does the job: it names the right user, refuses a stranger and an expired session, and
 * a revoked one where it can. In processes of their own, so that those that are measured have seen nothing unusual.
 */
export async function checkCandidates(candidates: readonly Candidate[]): Promise<void> {
  const rest: (() => Promise<void>)[] = []
  // In turn, as some make their tables when they start.
  for (const candidate of candidates) rest.push(await checkCandidate(candidate))
  await Promise.all(rest.map((finish) => finish()))
}
