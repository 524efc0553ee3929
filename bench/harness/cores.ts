import { execFileSync } from 'node:child_process'
import { availableParallelism } from 'node:os'

function hasTaskset(): boolean {
  try {
    execFileSync('taskset', ['-c', '0,1', 'true'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/**
 * Whether a server and its load get a core each. Where they move about, a server is slower whenever the two meet on one
 * core, or wake a core that sleeps.
 */
export const coresApart = availableParallelism() > 1 && hasTaskset()

const serverCore = '0'
const loadCore = '1'

/** Keeps the process on the core of servers; the threads that collect its garbage take what is left. */
export function keepOnServerCore(pid: number): void {
  if (coresApart) execFileSync('taskset', ['-c', '-p', serverCore, String(pid)], { stdio: 'ignore' })
}

/** The command and its arguments, on the core of the load. */
export function onLoadCore(command: string, args: readonly string[]): [string, string[]] {
  return coresApart ? ['taskset', ['-c', loadCore, command, ...args]] : [command, [...args]]
}
