// @ts-check

/** @typedef {{ product: string, quantity: number }} Line */

const maxLines = 50
const product = { type: 'string', pattern: '^[\\w-]{1,40}$' }
const quantity = { type: 'integer', minimum: 1, maximum: 99 }
const text = { type: 'string', maxLength: 1_000 }
const addition = { type: 'object', required: ['product', 'quantity'], properties: { product, quantity } }
const passwordForm = {
  type: 'object',
  required: ['name', 'password'],
  properties: { name: text, password: text },
}

/**
 * @param {Line[]} lines
 * @param {Line} added
 */
function withMore(lines, { product, quantity }) {
  const others = lines.filter((line) => line.product !== product)
  if (others.length === maxLines) throw Object.assign(new Error('The cart is full'), { statusCode: 409 })
  const before = lines.find((line) => line.product === product)?.quantity ?? 0
  return [...others, { product, quantity: Math.min(before + quantity, 99) }]
}

/**
 * A cart that a visitor fills, and keeps when they sign in. Register gosesh with `visitors: {}`.
 *
 * @param {import('fastify').FastifyInstance} app
 * @param {{ checkPassword: (name: string, password: string) => Promise<string | null> }} options It resolves with the user
 *   id; `null`: the password is wrong.
 */
export async function cart(app, { checkPassword }) {
  app.get('/cart', async ({ sessionData }) => (await sessionData.get('cart')) ?? [])

  app.post('/cart', { schema: { body: addition } }, async ({ body, sessionData }) => {
    const added = /** @type {Line} */ (body)
    // Called again if another request changed the cart meanwhile, so that both count.
    return await sessionData.update('cart', (/** @type {any} */ lines = []) => withMore(lines, added))
  })

  app.post('/login', { schema: { body: passwordForm } }, async (request, reply) => {
    const { name, password } = /** @type {{ name: string, password: string }} */ (request.body)
    const userId = await checkPassword(name, password)
    if (userId === null) {
      throw Object.assign(new Error('The name or the password is wrong'), { statusCode: 401 })
    }
    // The cart and nothing else: whatever this visitor has may have been planted by somebody else.
    const { id } = await reply.signIn(userId, { factors: ['pwd'], carry: ['cart'] })
    return { id }
  })
}
