import { connect, type Socket } from 'node:net'

export interface RawResponse {
  readonly status: number
  /** By lower-case name; several of one name in their order. */
  readonly headers: ReadonlyMap<string, readonly string[]>
  readonly body: string
}

const answerWithin = 10_000

/** The final response at the beginning of what was received, and what follows it; `null` while it is incomplete. */
function parse(received: string, toHead: boolean): { response: RawResponse; rest: string } | null {
  const headEnd = received.indexOf('\r\n\r\n')
  if (headEnd === -1) return null
  const [statusLine = '', ...lines] = received.slice(0, headEnd).split('\r\n')
  const status = Number(statusLine.slice(9, 12))
  const headers = new Map<string, string[]>()
  for (const line of lines) {
    const colon = line.indexOf(':')
    const name = line.slice(0, colon).toLowerCase()
    const values = headers.get(name)
    const value = line.slice(colon + 1).trim()
    if (values === undefined) headers.set(name, [value])
    else values.push(value)
  }
  const framed = received.slice(headEnd + 4)
  const chunked = !toHead && headers.has('transfer-encoding')
  const length = toHead ? 0 : Number(headers.get('content-length')?.[0] ?? 0)
  const content = chunked ? joinChunks(framed) : takeLength(framed, length)
  if (content === null) return null
  const body = Buffer.from(content.body, 'latin1').toString()
  return { response: { status, headers, body }, rest: content.rest }
}

interface Content {
  readonly body: string
  readonly rest: string
}

function takeLength(framed: string, length: number): Content | null {
  if (framed.length < length) return null
  return { body: framed.slice(0, length), rest: framed.slice(length) }
}

/** RFC 9112, section 7.1, without extensions and trailers. */
function joinChunks(framed: string): Content | null {
  let body = ''
  for (let rest = framed; ; ) {
    const lineEnd = rest.indexOf('\r\n')
    const size = Number.parseInt(rest, 16)
    const end = lineEnd + 2 + size + 2
    if (lineEnd === -1 || rest.length < end) return null
    if (size === 0) return { body, rest: rest.slice(end) }
    body += rest.slice(lineEnd + 2, end - 2)
    rest = rest.slice(end)
  }
}

/** A connection that is kept alive, over which each request goes byte for byte as it is written. */
export class RawClient {
  readonly #port: number
  #socket: Socket | null = null

  constructor(port: number) {
    this.#port = port
  }

  /** Sends the request, a byte a character; resolves the answer, or `null` where the connection ends without one. */
  async send(request: string): Promise<RawResponse | null> {
    if (this.#socket?.readable !== true) this.close()
    const socket = this.#socket ?? connect(this.#port, '127.0.0.1').setNoDelay().setTimeout(answerWithin)
    this.#socket = socket
    try {
      const response = await this.#exchange(socket, request)
      if (response === null || response.headers.get('connection')?.includes('close')) this.close()
      return response
    } catch (error) {
      this.close()
      throw error
    }
  }

  #exchange(socket: Socket, request: string): Promise<RawResponse | null> {
    return new Promise((resolve, reject) => {
      let received = ''
      const settle = (outcome: () => void): void => {
        socket.off('data', read).off('close', end).off('error', end).off('timeout', expire)
        outcome()
      }
      const end = (): void => settle(() => resolve(null))
      const expire = (): void => settle(() => reject(new Error(`no answer to ${JSON.stringify(request)}`)))
      const read = (chunk: Buffer): void => {
        received += chunk.toString('latin1')
        const parsed = parse(received, request.startsWith('HEAD '))
        if (parsed === null) return
        if (parsed.rest !== '') settle(() => reject(new Error(`answered twice: ${JSON.stringify(request)}`)))
        else settle(() => resolve(parsed.response))
      }
      socket.on('data', read).on('close', end).on('error', end).on('timeout', expire)
      socket.write(request, 'latin1')
    })
  }

  /** The next request opens a new connection. */
  close(): void {
    this.#socket?.on('error', () => {}).destroy()
    this.#socket = null
  }
}
