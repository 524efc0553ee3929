// @ts-check
import { parseArgs } from 'node:util'
import { buildApp } from './app.js'
import { guide } from './guide.js'
import { openStore } from './store.js'

const { HOST: host = 'localhost', PORT: port = '3000', LOG_LEVEL: level = 'warn' } = process.env

/** @param {import('fastify').FastifyInstance} app */
async function stop(app) {
  try {
    await app.close()
  } catch (error) {
    app.log.error({ err: error }, 'shutdown failed')
    process.exitCode = 1
  }
}

/** @param {import('fastify').FastifyInstance} app */
function stopOnSignal(app) {
  let stopping = false
  for (const signal of ['SIGINT', 'SIGTERM']) {
    // On Ctrl-C the terminal signals npm and this process, and npm passes it on: the second one must not end the flush.
    process.on(signal, () => {
      if (stopping) return
      stopping = true
      stop(app)
    })
  }
}

/**
 * @param {NodeJS.ErrnoException} error
 * @returns {string}
 */
function reasonOf(error) {
  if (error.code === 'EADDRINUSE') return `Port ${port} is in use; choose another one: PORT=3001 npm start`
  return `Cannot start: ${error.message}`
}

/**
 * The address for a browser on this machine.
 *
 * @param {import('fastify').FastifyInstance} app
 */
function urlOf(app) {
  const address = app.server.address()
  const bound = typeof address === 'object' ? address?.port : port
  if (host === '0.0.0.0' || host === '::') return `http://localhost:${bound}`
  return `http://${host.includes(':') ? `[${host}]` : host}:${bound}`
}

async function start() {
  const { values } = parseArgs({ options: { store: { type: 'string', default: 'memory' } } })
  const { store, close } = await openStore(values.store)
  const app = buildApp({ logger: { level }, store, closeStore: close })
  stopOnSignal(app)
  try {
    await app.listen({ host, port: Number(port) })
  } catch (error) {
    await app.close()
    throw error
  }
  console.log(guide(urlOf(app)))
}

start().catch((error) => {
  console.error(reasonOf(error))
  process.exitCode = 1
})
