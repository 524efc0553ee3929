// @ts-check

/** Who can sign in here. */
export const accounts = [
  { id: 'ada', name: 'Ada Lovelace', email: 'ada@local.example' },
  { id: 'grace', name: 'Grace Hopper', email: 'grace@local.example' },
  { id: 'alan', name: 'Alan Turing', email: 'alan@local.example' },
]

/** The password of each of them: a stand-in has nothing to guard. */
export const password = 'example'

/** @param {string} id */
export function findAccount(id) {
  return accounts.find((account) => account.id === id)
}

/** @param {unknown} email */
export function findAccountByEmail(email) {
  return accounts.find((account) => account.email === email)
}
