import type { CustomFetch } from 'openid-client'

/** Bytes of an answer; metadata, keys, tokens and profiles have some 10 KiB. */
const maxBody = 1_048_576

/** Reads the whole body; throws, and reads no further, if it is longer than any answer of a provider should be. */
async function readBody(body: ReadableStream<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body) {
    size += chunk.length
    if (size > maxBody) throw new Error(`the provider sent a body of more than ${maxBody} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** Sends requests as `send` does, by default Node's `fetch`, and takes only bodies of a bounded length. */
export function boundedFetch(send: CustomFetch | null): CustomFetch {
  const request = send ?? ((url, init) => fetch(url, init as RequestInit))
  return async (url, init) => {
    const response = await request(url, init)
    if (response.body === null) return response
    const { status, statusText, headers } = response
    return new Response(new Uint8Array(await readBody(response.body)), { status, statusText, headers })
  }
}
