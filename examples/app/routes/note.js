// @ts-check
import { flash } from '../../recipes/flash.js'
import { parseName } from '../names.js'
import { viewerOf } from '../viewer.js'
import { notePage } from '../views/note.js'
import { sendPage } from '../views/send-page.js'

const maxLength = 200

/** A visitor's first draft is a record in the store, so one address begins only so many. */
const limited = { config: { rateLimit: { max: 60 } } }

/**
 * A note that may be written before anybody has signed in. Until then it is a draft among the data of the visitor, and after
 * that among the session's (`carry` in `app.js`), where it waits to be saved: what a browser has is not saved unseen.
 *
 * @param {import('fastify').FastifyInstance} app
 * @param {{ profiles: import('../profiles.js').Profiles, notes: import('../notes.js').Notes }} options
 */
export async function noteRoutes(app, { profiles, notes }) {
  app.get('/note', async (request, reply) => {
    const user = viewerOf(profiles, request)
    const draft = await request.sessionData.get('draft')
    const saved = request.session === null ? '' : notes.get(request.session.userId)
    const typed = typeof draft === 'string' ? draft : saved
    return sendPage(reply, notePage({ user, typed, problem: null, maxLength, isDraft: draft !== undefined }))
  })

  app.post('/note', limited, async (request, reply) => {
    const { note: typed } = /** @type {{ note?: unknown }} */ (request.body ?? {})
    const { name: note, problem } = parseName(typed, maxLength)
    if (problem !== null) {
      const user = viewerOf(profiles, request)
      return sendPage(reply.code(400), notePage({ user, typed: note, problem, maxLength, isDraft: false }))
    }
    if (request.session === null) {
      await request.sessionData.set('draft', note)
      await flash(request, 'Your note is kept until you have signed in.')
      return reply.redirect('/?next=/note', 303)
    }
    notes.save(request.session.userId, note)
    await request.sessionData.delete('draft')
    await flash(request, note === '' ? 'Your note is deleted.' : 'Your note is saved.')
    return reply.redirect('/account', 303)
  })
}
