import { type Candidate, RunningCandidate } from '../harness/candidate.js'
import { checkCandidates } from '../harness/check.js'
import { type CompareOptions, type Comparison, compare } from '../harness/compare.js'
import { type Cleanup, withCleanup } from '../harness/servers.js'
import type { StoreCounts } from '../harness/store-counts.js'
import { type Goal, show, showCount, showSpread, type Table } from '../report/result.js'

/** How long the candidates of a comparison are loaded. */
export function roundsFor(quick: boolean): CompareOptions {
  return quick ? { rounds: 8, seconds: 0.2 } : { rounds: 60, seconds: 0.4 }
}

export async function startAll(
  cleanup: Cleanup,
  candidates: readonly Candidate[],
): Promise<RunningCandidate[]> {
  const running: RunningCandidate[] = []
  for (const candidate of candidates) {
    const started = await RunningCandidate.start(candidate)
    cleanup.add(() => started.stop())
    running.push(started)
  }
  return running
}

/** Checks the candidates, then loads them in turn. */
export async function compareCandidates(
  candidates: readonly Candidate[],
  options: CompareOptions,
): Promise<Comparison> {
  await checkCandidates(candidates)
  return await withCleanup(async (cleanup) => await compare(await startAll(cleanup, candidates), options))
}

/** Every candidate: what it served, what that cost the server, and both beside the floor. */
export function comparisonTable(title: string, comparison: Comparison, floor: string): Table {
  const columns = [
    '',
    'requests/s',
    'CPU µs a request',
    'p50 ms',
    'p99 ms',
    'throughput / floor',
    'per CPU / floor',
  ]
  const rows = comparison.titles.map((name) => [
    name,
    showCount(comparison.spread(name, ({ perSecond }) => perSecond).median),
    showSpread(comparison.spread(name, ({ cpuPerRequest }) => cpuPerRequest)),
    show(comparison.spread(name, ({ p50 }) => p50).median),
    show(comparison.spread(name, ({ p99 }) => p99).median),
    showSpread(comparison.throughput(name, floor)),
    showSpread(comparison.efficiency(name, floor)),
  ])
  return { title, columns, rows }
}

/** A goal that is judged by processor time; the throughput stands beside it. */
export function goalBeside(
  comparison: Comparison,
  measure: string,
  [title, beside, atLeast]: readonly [string, string, number],
): Goal {
  return {
    measure,
    goal: { atLeast },
    measured: comparison.efficiency(title, beside),
    throughput: comparison.throughput(title, beside),
  }
}

/** Signing and hashing cost less on some versions of Node, and with them every lead over a peer: the floor sets the goal. */
const partOfFloor = 0.9

/** The goal beside a peer: a part of what the floor, the least that the job takes, reaches beside it. */
export function goalBesidePeer(comparison: Comparison, store: string, ours: string, peer: string): Goal {
  const reached = comparison.efficiency('floor', peer).median
  const measure = `verified request, ${store}: beside ${peer} (the floor: ${show(reached)})`
  return goalBeside(comparison, measure, [ours, peer, partOfFloor * reached])
}

export function countsTable(counts: ReadonlyMap<string, StoreCounts>): Table {
  const rows = Array.from(counts, ([title, { reads, writes, flushWrites }]) => [
    title,
    showCount(reads),
    showCount(writes),
    showCount(flushWrites),
  ])
  return {
    title: 'Store commands for 1,000 requests of 1,000 sessions, counted at the server',
    columns: ['', 'reads', 'writes', 'writes at the flush after it'],
    rows,
  }
}
