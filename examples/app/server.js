// @ts-check
import { buildApp } from './app.js'
import { createCertificate } from './certificate.js'
import { readConfig } from './config.js'
import { openDatabase } from './database.js'
import { guide } from './guide.js'
import { startLocalProvider } from './provider/local.js'

/** @param {(() => Promise<void>)[]} stops In the order in which they are stopped. */
async function stop(stops) {
  for (const part of stops) {
    try {
      await part()
    } catch (error) {
      console.error('Shutdown failed:', error)
      process.exitCode = 1
    }
  }
}

/** @param {(() => Promise<void>)[]} stops */
function stopOnSignal(stops) {
  let stopping = false
  for (const signal of ['SIGINT', 'SIGTERM']) {
    // On Ctrl-C the terminal signals npm and this process, and npm passes it on: the second one must not end the flush.
    process.on(signal, () => {
      if (stopping) return
      stopping = true
      stop(stops)
    })
  }
}

/** @param {unknown} error */
function reasonOf(error) {
  const { code, port, message } = /** @type {NodeJS.ErrnoException & { port?: number }} */ (error)
  if (code !== 'EADDRINUSE') return `Cannot start: ${message}`
  return `Port ${port} is in use; choose others: PORT=4000 npm start (the provider takes the one after it, or PROVIDER_PORT)`
}

async function start() {
  const config = readConfig(process.env)
  const { host, port, logLevel, origin, provider } = config
  const certificate = config.https ? createCertificate(['localhost']) : undefined
  const stopProvider = await startLocalProvider(config)
  const stops = [stopProvider]
  try {
    const database = await openDatabase(config.database)
    const app = await buildApp({
      origin,
      provider,
      database,
      https: certificate,
      logger: { level: logLevel },
    })
    stops.unshift(() => app.close())
    await app.listen({ host, port })
  } catch (error) {
    await stop(stops)
    throw error
  }
  stopOnSignal(stops)
  console.log(guide({ origin, provider, keyHash: certificate?.keyHash }))
}

start().catch((error) => {
  console.error(reasonOf(error))
  process.exitCode = 1
})
