// @ts-check

/** Stands in for your own users; gosesh asks for nothing but an id that never changes. */
export const users = [
  { id: 'ada', name: 'Ada Lovelace' },
  { id: 'grace', name: 'Grace Hopper' },
  { id: 'alan', name: 'Alan Turing' },
]

/** @param {string} id */
export function nameOf(id) {
  return users.find((user) => user.id === id)?.name ?? id
}

/** The JSON schema of a sign-in. A real one asks for a password or a passkey, and limits how often one may try. */
export const signInBody = {
  type: 'object',
  required: ['user'],
  additionalProperties: false,
  properties: { user: { type: 'string', enum: users.map((user) => user.id) } },
}

/** @typedef {{ user: string }} SignInBody */
