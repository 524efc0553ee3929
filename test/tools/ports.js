// @ts-check
import { once } from 'node:events'
import { createServer } from 'node:net'

/**
 * The system gives ports from 32,768 on to whoever asks for any port, clients included. One below is taken by nobody
 * between the moment it is found free and the moment its server listens.
 */
const first = 20_000
const last = 32_000

/**
 * A port on which nothing listens, for a server that has to be told its port.
 *
 * @returns {Promise<number>}
 */
export async function freePort() {
  for (let tries = 1; ; tries++) {
    const port = first + Math.floor(Math.random() * (last - first))
    const server = createServer()
    try {
      server.listen(port, '127.0.0.1')
      await once(server, 'listening')
    } catch (error) {
      if (tries < 20) continue
      throw error
    }
    server.close()
    await once(server, 'close')
    return port
  }
}
