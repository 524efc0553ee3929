import type { Readable } from 'node:stream'
import type { FastifyInstance, FastifyPluginAsync, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { GoseshError } from '../core/errors.js'
import { internals, requireInternals } from '../core/internals.js'
import { checkObject, optionError } from '../core/validation.js'
import { HeldSession, heldSession } from './held-session.js'

async function registerCompat(app: FastifyInstance, options: object): Promise<void> {
  checkObject('', options, [])
  if (!app.hasDecorator('gosesh')) throw new GoseshError('GOSESH_ERR_NOT_REGISTERED')
  requireInternals(app)
  const { decorateAs, wholeData: data } = app[internals]
  if (decorateAs === 'session') {
    throw optionError('decorateAs', decorateAs, "another name, such as 'signInSession', for gosesh/compat")
  }
  if (data === null) throw optionError('visitors', false, '{}, or its options, for gosesh/compat')

  const heldBy = (request: FastifyRequest): HeldSession => {
    request[heldSession] ??= new HeldSession(data, request)
    return request[heldSession]
  }
  // An inner context that registered a gosesh of its own hears the hooks too, and may call its session the same.
  const isOurs = (request: FastifyRequest): boolean => request.server[internals].wholeData === data
  app.decorateRequest(heldSession, null)
  app.decorateRequest('session', {
    getter() {
      return (isOurs(this) ? heldBy(this).session : undefined) as never
    },
    setter(value) {
      if (isOurs(this)) throw new TypeError('request.session cannot be replaced: change its properties')
      Object.defineProperty(this, 'session', { value, writable: true, enumerable: true, configurable: true })
    },
  })

  app.addHook('onRequest', (request, reply, done) => {
    const isOff = request.routeOptions.config?.session === false || !isOurs(request)
    const loading = isOff ? undefined : heldBy(request).attach(reply)
    if (loading === undefined) done()
    else loading.then(() => done(), done)
  })
  // Asynchronous only if there is something to save: passport, for one, does not wait for its answers to be sent.
  app.addHook('onSend', (request, reply, payload, done) => {
    const saving = isOurs(request) ? heldBy(request).saveOnce() : undefined
    if (saving === undefined) return done()
    const release = data.holdReply(reply)
    const finish = (error?: Error): void => {
      release()
      if (error !== undefined) discard(payload)
      try {
        if (error === undefined) done()
        else done(error)
      } catch (thrown) {
        done(thrown as Error)
      }
    }
    saving.then(() => finish(), finish)
  })
}

/** Closes a stream that is not going to be sent. */
function discard(payload: unknown): void {
  const stream = payload as Partial<Readable> | null | undefined
  stream?.destroy?.()
}

/**
 * Gives plugins and code that want `get` and `set` at `request.session` the data of the session or visitor there. Register it
 * after gosesh with the options `decorateAs` and `visitors`; else it rejects with `GOSESH_ERR_OPTION`, or with
 * `GOSESH_ERR_NOT_REGISTERED`.
 */
export const sessionCompat: FastifyPluginAsync = fp(registerCompat, { name: 'gosesh/compat', fastify: '5.x' })
