import type { JWK, JWTVerifyGetKey } from 'jose'
import type { DeviceKey } from '../core/details.js'
import { optionError } from '../core/validation.js'

export type Jose = typeof import('jose')

/** The optional peer dependency that verifies signatures. Rejects with `GOSESH_ERR_OPTION`, which says what to install. */
export async function loadJose(): Promise<Jose> {
  try {
    return await import('jose')
  } catch (cause) {
    const error = optionError('deviceBinding', {}, 'the package jose beside it; run npm install jose')
    throw Object.assign(error, { cause })
  }
}

const algorithms = ['ES256', 'RS256'] as const
type Algorithm = (typeof algorithms)[number]

/**
 * What a key's two numbers look like. RSA: 2,048 to 4,096 bits, and the usual exponent; a verification by a larger one can take
 * seconds.
 */
const shapes = {
  ES256: [/^[\w-]{43}$/, /^[\w-]{43}$/],
  RS256: [/^[\w-]{342,683}$/, /^AQAB$/],
} as const

/** Verifies what a browser signs with its key: `typ: dbsc+jwt`, an algorithm of the two that were offered, and `jti`. */
export class ProofVerifier {
  readonly #jose: Jose

  constructor(jose: Jose) {
    this.#jose = jose
  }

  /** The key in the proof, which signed it, and the challenge that it answers; `null` if the proof is no good. */
  async verifyRegistration(
    proof: string,
  ): Promise<{ key: Omit<DeviceKey, 'boundAt'>; challenge: string } | null> {
    let key: ReturnType<typeof keyOf> = null
    const verified = await this.#verify(proof, algorithms, (header, token) => {
      key = keyOf(header.alg as Algorithm, header.jwk)
      // Before it verifies anything, which by a key of another kind may take long.
      if (key === null) throw new RangeError('not a key as browsers make them')
      return this.#jose.EmbeddedJWK(header, token)
    })
    return verified === null || key === null ? null : { key, challenge: verified.challenge }
  }

  /** The challenge that the proof answers, if this key signed it; else `null`. */
  async verifyRefresh(proof: string, key: DeviceKey): Promise<string | null> {
    const publicKey = await this.#jose.importJWK(jwkOf(key), key.algorithm)
    const verified = await this.#verify(proof, [key.algorithm], async () => publicKey)
    return verified?.challenge ?? null
  }

  async #verify(
    proof: string,
    allowed: readonly Algorithm[],
    getKey: JWTVerifyGetKey,
  ): Promise<{ challenge: string } | null> {
    try {
      const { payload } = await this.#jose.jwtVerify(proof, getKey, {
        algorithms: [...allowed],
        typ: 'dbsc+jwt',
      })
      return typeof payload.jti === 'string' ? { challenge: payload.jti } : null
    } catch {
      // Whatever is wrong with it, it proves nothing.
      return null
    }
  }
}

/** The key, or `null` if it is of another size than browsers make. */
function keyOf(algorithm: Algorithm, jwk: JWK | undefined): Omit<DeviceKey, 'boundAt'> | null {
  const numbers = algorithm === 'ES256' ? [jwk?.x, jwk?.y] : [jwk?.n, jwk?.e]
  const isRight = numbers.every((number, index) => shapes[algorithm][index]?.test(String(number)))
  return isRight ? { algorithm, numbers: numbers as [string, string] } : null
}

function jwkOf({ algorithm, numbers: [first, second] }: DeviceKey): JWK {
  if (algorithm === 'ES256') return { kty: 'EC', crv: 'P-256', x: first, y: second }
  return { kty: 'RSA', n: first, e: second }
}
