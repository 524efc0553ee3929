import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

/** A way between the application and its store that can be made slow, broken off or silent. */
export class TcpProxy {
  /** The port behind it, for connections from now on. */
  target: number
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  /** Milliseconds by which every answer of the store comes later. */
  latency = 0
  #silent = false

  constructor(target: number) {
    this.target = target
    this.#server = createServer((socket) => this.#connect(socket))
  }

  async listen(): Promise<void> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Connections stay open, new ones are taken, and nothing passes; what was sent meanwhile arrives after `resume`. */
  pause(): void {
    this.#silent = true
    for (const socket of this.#sockets) socket.pause()
  }

  resume(): void {
    this.#silent = false
    for (const socket of this.#sockets) socket.resume()
  }

  /** Resets every connection. */
  dropAll(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy()
  }

  async close(): Promise<void> {
    this.dropAll()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #connect(downstream: Socket): void {
    const upstream = connect(this.target, '127.0.0.1')
    downstream.setNoDelay()
    upstream.setNoDelay()
    this.#forward(downstream, upstream, () => 0)
    this.#forward(upstream, downstream, () => this.latency)
  }

  #forward(from: Socket, to: Socket, latency: () => number): void {
    this.#sockets.add(from)
    let last = Promise.resolve()
    from.on('data', (chunk) => {
      const due = latency()
      const passed = due === 0 ? Promise.resolve() : delay(due)
      // What came first goes first, also where the latency has changed.
      last = Promise.all([last, passed]).then(() => void (to.destroyed || to.write(chunk)))
    })
    from.on('error', () => {})
    from.once('close', () => {
      this.#sockets.delete(from)
      void last.then(() => to.resetAndDestroy())
    })
    if (this.#silent) from.pause()
  }
}
