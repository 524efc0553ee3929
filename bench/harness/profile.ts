import { Session } from 'node:inspector/promises'

/** Where the compiled library lies beside the compiled benchmark. */
const library = new URL('../../lib/', import.meta.url).href

export interface OwnTime {
  /** Of a function of the library, with its file; `null`: of everything else. */
  readonly name: string | null
  readonly ns: number
}

/** The own time of each function while the work is done, sampled every 0.1 ms; the longest first. */
export async function profileOf(work: () => Promise<unknown>): Promise<OwnTime[]> {
  const session = new Session()
  session.connect()
  await session.post('Profiler.enable')
  await session.post('Profiler.setSamplingInterval', { interval: 100 })
  await session.post('Profiler.start')
  await work()
  const { profile } = await session.post('Profiler.stop')
  session.disconnect()
  const names = new Map(
    profile.nodes.map(({ id, callFrame: { functionName, url } }): [number, string | null] => {
      return [id, url.startsWith(library) ? `${functionName}, ${url.slice(library.length)}` : null]
    }),
  )
  const times = new Map<string | null, number>()
  for (const [i, id] of (profile.samples ?? []).entries()) {
    const name = names.get(id) ?? null
    times.set(name, (times.get(name) ?? 0) + (profile.timeDeltas?.[i] ?? 0) * 1_000)
  }
  return Array.from(times, ([name, ns]) => ({ name, ns })).sort((a, b) => b.ns - a.ns)
}
