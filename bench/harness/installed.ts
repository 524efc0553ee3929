import { execFileSync } from 'node:child_process'
import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { makeTemporaryFolder } from './temporary.js'

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>
}

function manifestOf(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest
}

/** What npm installs with a package: what it depends on, and its peers that are not optional. */
function neededBy({ dependencies, peerDependencies, peerDependenciesMeta }: Manifest): string[] {
  const peers = Object.keys(peerDependencies ?? {}).filter((name) => !peerDependenciesMeta?.[name]?.optional)
  return [...Object.keys(dependencies ?? {}), ...peers]
}

/** As Node finds it: in the nearest `node_modules` that has it. */
function find(name: string, from: string): string | null {
  const folder = join(from, 'node_modules', name)
  if (existsSync(join(folder, 'package.json'))) return folder
  return dirname(from) === from ? null : find(name, dirname(from))
}

function closure(names: readonly string[], from: string, found = new Set<string>()): Set<string> {
  for (const name of names) {
    const folder = find(name, from)
    if (folder === null || found.has(folder)) continue
    found.add(folder)
    closure(neededBy(manifestOf(folder)), folder, found)
  }
  return found
}

/** The bytes of a folder's files, without packages inside of it. */
function bytesOf(folder: string): number {
  return readdirSync(folder, { withFileTypes: true }).reduce((sum, entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return entry.name === 'node_modules' ? sum : sum + bytesOf(path)
    return sum + lstatSync(path).size
  }, 0)
}

export interface Installed {
  readonly packages: number
  readonly bytes: number
}

/** What installing these packages adds to an application that has fastify, by the packages that lie here. */
export function addedBy(root: string, names: readonly string[]): Installed {
  const fastify = closure(['fastify'], root)
  const added = [...closure(names, root)].filter((folder) => !fastify.has(folder))
  return { packages: added.length, bytes: added.reduce((sum, folder) => sum + bytesOf(folder), 0) }
}

/** The same for gosesh itself, which is built for it. */
export function addedByGosesh(root: string): Installed {
  const { path: folder, remove } = makeTemporaryFolder()
  try {
    const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
    execFileSync(process.execPath, [tsc, '-p', 'tsconfig.build.json', '--outDir', folder], { cwd: root })
    const texts = ['package.json', 'README.md', 'LICENSE', 'CHANGELOG.md']
    const own = texts.reduce((sum, name) => sum + lstatSync(join(root, name)).size, bytesOf(folder))
    const others = addedBy(root, Object.keys(manifestOf(root).dependencies ?? {}))
    return { packages: others.packages + 1, bytes: others.bytes + own }
  } finally {
    remove()
  }
}
