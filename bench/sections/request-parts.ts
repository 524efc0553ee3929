import type { OwnTime } from '../harness/profile.js'
import { Program } from '../harness/program.js'
import { ratios, type Spread, spreadOf } from '../harness/statistics.js'
import { type Section, show, showSpread, type Table } from '../report/result.js'

/** Few at a time: a machine that is shared changes its speed from one tenth of a second to the next. */
const requests = 320

const shownFunctions = 12

const verified: Readonly<Record<string, string>> = {
  floor: 'the floor',
  headers: 'with `Cache-Control` and `Vary`',
  session: 'and a session object of its own, with four dates',
  activity: 'and the activity in a `Map`',
  gosesh: 'gosesh, memory store, tracking on',
}
const anonymous: Readonly<Record<string, string>> = {
  'anonymous: nothing': 'without sessions',
  'anonymous: cookies': 'with @fastify/cookie alone',
  'anonymous: gosesh': 'gosesh',
}

/** Nanoseconds a request of each candidate, round by round. */
async function timesOf(names: readonly string[], rounds: number): Promise<Map<string, number[]>> {
  const program = Program.start('bare-requests', null)
  const times = new Map<string, number[]>(names.map((name) => [name, []]))
  // The first rounds are not counted: the compiler has not seen all of it yet.
  for (let round = -50; round < rounds; round++) {
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      const time = await program.call<number>('time', name, requests)
      if (round >= 0) times.get(name)?.push(time)
    }
  }
  await program.stop()
  return times
}

function tableOf(
  title: string,
  titles: Readonly<Record<string, string>>,
  times: ReadonlyMap<string, readonly number[]>,
): Table {
  const [first] = Object.keys(titles) as [string]
  const of = (name: string): readonly number[] => times.get(name) as readonly number[]
  const added = (name: string): Spread =>
    spreadOf(of(name).map((time, round) => time - (of(first)[round] as number)))
  const rows = Object.entries(titles).map(([name, shown]) => [
    shown,
    showSpread(spreadOf(of(name))),
    name === first ? '' : showSpread(added(name)),
    name === first ? '' : showSpread(ratios(of(first), of(name))),
  ])
  return { title, columns: ['', 'ns a request', 'ns added', 'beside the first'], rows }
}

/** Which functions of gosesh a verified request spends its time in. */
async function profileTable(profiled: number): Promise<Table> {
  const program = Program.start('bare-requests', null)
  // For the compiler to have seen it.
  await program.call('time', 'gosesh', 50_000)
  const times = await program.call<OwnTime[]>('profile', 'gosesh', profiled)
  await program.stop()
  const own = times.filter(({ name }) => name !== null)
  const perRequest = (some: readonly OwnTime[]): string =>
    show(some.reduce((sum, { ns }) => sum + ns, 0) / profiled)
  const [most, least] = [own.slice(0, shownFunctions), own.slice(shownFunctions)]
  return {
    title: 'A profile of gosesh: the own time of its functions in a verified request',
    columns: ['', 'ns a request'],
    rows: [
      ...most.map((time) => [`\`${time.name}\``, perRequest([time])]),
      [`${least.length} others`, perRequest(least)],
      ['all functions of gosesh', perRequest(own)],
      [
        'all else: Node, Fastify, @fastify/cookie, collecting garbage',
        perRequest(times.filter((time) => !own.includes(time))),
      ],
    ],
  }
}

/** What the difference to the floor is made of, where neither sockets nor stores have a part in it. */
export const requestParts: Section = {
  title: 'What a request is made of',
  async run({ quick }) {
    const names = [...Object.keys(verified), ...Object.keys(anonymous)]
    const times = await timesOf(names, quick ? 150 : 1_500)
    return {
      tables: [
        tableOf('A verified request without its socket, part by part', verified, times),
        tableOf('An anonymous request without its socket', anonymous, times),
        await profileTable(quick ? 50_000 : 400_000),
      ],
      goals: [],
    }
  },
}
