import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)

/**
 * A peer's package without its types: each declares a `request.session` of its own, and they contradict one another.
 */
export async function loadPackage<T>(name: string): Promise<T> {
  return (await import(name)) as T
}

/** A package that is itself what it exports. */
export function requirePackage<T>(name: string): T {
  return require(name) as T
}
