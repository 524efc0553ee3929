// @ts-check

const text = { type: 'string', minLength: 1, maxLength: 200 }

/** The steps in their order, and what each of them takes. */
const steps = {
  address: { type: 'object', required: ['street', 'city'], properties: { street: text, city: text } },
  delivery: { type: 'object', required: ['day'], properties: { day: { enum: ['weekday', 'saturday'] } } },
  gift: { type: 'object', required: ['card'], properties: { card: text } },
}
const names = Object.keys(steps)

/** @param {unknown[]} answers Those that there are so far. */
function notYet({ length }) {
  return Object.assign(new Error(`The next step is ${names[length]}`), { statusCode: 409 })
}

/**
 * An order in several steps. Register gosesh with `visitors: {}`, or ask for a session on each route.
 *
 * @param {import('fastify').FastifyInstance} app
 * @param {{ place: (order: Record<string, unknown>) => Promise<string> }} options It resolves with the number of the order,
 *   and rejects only if nothing was ordered.
 */
export async function order(app, { place }) {
  for (const [index, [name, step]] of Object.entries(steps).entries()) {
    const body = { ...step, additionalProperties: false }
    app.put(`/order/${name}`, { schema: { body } }, async ({ body, sessionData }) => {
      await sessionData.update('order', (/** @type {any} */ answers = []) => {
        if (answers.length < index) throw notYet(answers)
        // Whoever goes back answers the later steps again, as they may depend on this one.
        return [...answers.slice(0, index), body]
      })
      return { next: names[index + 1] ?? null }
    })
  }

  app.post('/order', async ({ sessionData }) => {
    // All at once, and for one of two requests at once.
    const answers = /** @type {unknown[]} */ ((await sessionData.take('order')) ?? [])
    try {
      if (answers.length < names.length) throw notYet(answers)
      return { number: await place(Object.fromEntries(names.map((name, index) => [name, answers[index]]))) }
    } catch (error) {
      // Nothing was ordered: the answers wait for another try, unless there are new ones by now.
      if (answers.length > 0) await sessionData.update('order', (now) => now ?? answers)
      throw error
    }
  })
}
