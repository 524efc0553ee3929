import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023 }

/** The files of this repository that a file imports. */
function importsOf(file: string, source: string): string[] {
  return ts
    .preProcessFile(source)
    .importedFiles.filter(({ fileName }) => fileName.startsWith('.'))
    .map(({ fileName }) => join(dirname(file), fileName).replace(/\.js$/, '.ts'))
}

/**
 * Writes a program of this repository, and all that it imports, as JavaScript into a folder inside of the repository;
 * returns its path there. A process that compiles as it loads takes seconds of work to start.
 */
export function transpile(program: string, folder: string): string {
  const files = [join(root, program)]
  const target = (file: string): string => join(folder, relative(root, file)).replace(/\.ts$/, '.js')
  for (const file of files) {
    const source = readFileSync(file, 'utf8')
    files.push(...importsOf(file, source).filter((imported) => !files.includes(imported)))
    mkdirSync(dirname(target(file)), { recursive: true })
    writeFileSync(target(file), ts.transpileModule(source, { compilerOptions }).outputText)
  }
  return target(join(root, program))
}
