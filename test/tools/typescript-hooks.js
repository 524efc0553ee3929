import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { transform } from 'rolldown/utils'

/**
 * As TypeScript has it, a file `x.ts` is imported as `x.js`.
 *
 * @type {import('node:module').ResolveHook}
 */
export async function resolve(specifier, context, next) {
  if (/^(?:\.{1,2}\/|file:)/.test(specifier) && context.parentURL?.startsWith('file:')) {
    const url = new URL(specifier, context.parentURL)
    const source = new URL(url)
    source.pathname = source.pathname.replace(/\.js$/, '.ts')
    if (!existsSync(url) && existsSync(source)) return await next(source.href, context)
  }
  return await next(specifier, context)
}

/**
 * Takes the types away. They are checked by `tsc`, once for all files.
 *
 * @type {import('node:module').LoadHook}
 */
export async function load(url, context, next) {
  if (!url.startsWith('file:') || !new URL(url).pathname.endsWith('.ts')) return await next(url, context)
  const path = fileURLToPath(url)
  const { code, map, errors } = await transform(path, await readFile(path, 'utf8'), {
    sourcemap: true,
    target: 'node20',
  })
  if (errors.length > 0) throw errors[0]
  const inline = Buffer.from(JSON.stringify(map)).toString('base64')
  return {
    format: 'module',
    shortCircuit: true,
    source: `${code}\n//# sourceMappingURL=data:application/json;base64,${inline}`,
  }
}
