import { GoseshError } from '../../core/errors.js'

/** The optional peer dependencies that do the protocol and the cryptography. */
export interface Libraries {
  readonly client: typeof import('openid-client')
  readonly jose: typeof import('jose')
}

function missing(error: unknown): GoseshError {
  return new GoseshError('GOSESH_ERR_OAUTH_PEER_MISSING', { cause: error })
}

/**
 * Throws `GOSESH_ERR_OAUTH_PEER_MISSING`, which says what to install. Only an installed copy can tell: if a bundler
 * has put all into one file, there is nothing to find. Some test runners load modules without a `resolve`; there, start-up
 * tells.
 */
export function requireInstalled({ url, resolve }: Pick<ImportMeta, 'url' | 'resolve'>): void {
  if (typeof resolve !== 'function' || !url.includes('/node_modules/')) return
  try {
    for (const name of ['openid-client', 'jose']) resolve(name)
  } catch (error) {
    throw missing(error)
  }
}

requireInstalled(import.meta)

/** Imports them; rejects with `GOSESH_ERR_OAUTH_PEER_MISSING`. */
export async function loadLibraries(): Promise<Libraries> {
  try {
    const [client, jose] = await Promise.all([import('openid-client'), import('jose')])
    return { client, jose }
  } catch (error) {
    throw missing(error)
  }
}
