// @ts-check

/** @import { Mutation } from './types.js' */

const session = 'test/unit/compat/session.test.ts'
const signIn = 'test/unit/compat/sign-in.test.ts'
const faults = 'test/unit/compat/faults.test.ts'

/** @type {readonly Mutation[]} */
export const compatMutations = [
  {
    check: 'regenerate makes a visitor a new one: a planted cookie sees nothing of a login',
    requirement: '7.2.4',
    file: 'lib/plugin/whole-data.ts',
    text: 'await this.#visitors.replace(request, data, newId)',
    replacement: 'await calls.write(data, newId)',
    test: signIn,
  },
  {
    check: 'the visitor that regenerate replaces ends',
    requirement: '7.2.4',
    file: 'lib/plugin/visitors.ts',
    text: 'await this.#begin(request, data, newId)\n    if (id !== null)',
    replacement: 'await this.#begin(request, data, newId)\n    if (id === null)',
    test: signIn,
  },
  {
    check: 'regenerate gives a session a new secret',
    requirement: '7.2.4',
    file: 'lib/plugin/reply.ts',
    text: 'if (state.session || presented?.credential.write === undefined) return await work()',
    replacement: 'if (state !== null) return await work()',
    test: signIn,
  },
  {
    check: 'regenerate drops what another request wrote meanwhile',
    requirement: '7.2.4',
    file: 'lib/plugin/whole-data.ts',
    text: 'for (const key of (await calls.readAll()).keys()) if (!data.has(key)) changes.set(key, null)',
    replacement: '',
    test: signIn,
  },
  {
    check: 'regenerate is no proof of who the user is',
    requirement: '7.5.1',
    file: 'lib/session/updater.ts',
    text: 'return await this.#renew(id, token, neededBy, () => ({}), [])',
    replacement: 'return await this.reauthenticate(id, token, {}, neededBy)',
    test: signIn,
  },
  {
    check: 'if the data cannot be written, the old secret goes on',
    requirement: 'promise 4',
    file: 'lib/plugin/reply.ts',
    text: 'await result.revert()\n      throw error',
    replacement: 'throw error',
    test: faults,
  },
  {
    check: 'a sign-in begins with what it carries and nothing else',
    requirement: '7.2.4',
    file: 'lib/plugin/request-data.ts',
    text: 'state.held?.begin(session?.id ?? null, data)',
    replacement: '',
    test: signIn,
  },
  {
    check: 'a sign-in saves first what is the visitor’s',
    requirement: 'promise 7',
    file: 'lib/plugin/reply.ts',
    text: 'await saveHeldData(reply.request)',
    replacement: '',
    test: signIn,
  },
  {
    check: 'only changed keys are written',
    requirement: 'promise 7',
    file: 'lib/compat/held-session.ts',
    text: 'for (const [key, json] of current) if (stored.get(key) !== json) changes.set(key, json)',
    replacement: 'for (const [key, json] of current) changes.set(key, json)',
    test: session,
  },
  {
    check: 'what is saved is saved once for a reply',
    requirement: 'promise 1',
    file: 'lib/compat/held-session.ts',
    text: 'if (this.#sent) return undefined',
    replacement: '',
    test: faults,
  },
  {
    check: 'what was not loaded is not saved',
    requirement: '8.3.1',
    file: 'lib/compat/held-session.ts',
    text: "if (this.isModified()) this.#request.log.warn('request.session was not loaded, so it is not saved')\n      return undefined",
    replacement: '',
    test: faults,
  },
  {
    check: 'with nothing to save the reply goes out at once',
    requirement: '8.3.1',
    file: 'lib/compat/plugin.ts',
    text: 'if (saving === undefined) return done()',
    replacement: 'if (saving === undefined) return void Promise.resolve().then(() => done())',
    test: session,
  },
  {
    check: 'while a refusal is saved, no handler runs on',
    requirement: '8.3.1',
    file: 'lib/plugin/reply-state.ts',
    text: "Object.defineProperty(reply, 'sent', { configurable: true, value: true })",
    replacement: '',
    test: session,
  },
  {
    check: 'a stream that is not sent is closed',
    requirement: '16.5.2',
    file: 'lib/compat/plugin.ts',
    text: 'stream?.destroy?.()',
    replacement: 'stream?.pause?.()',
    test: faults,
  },
  {
    check: 'a key such as __proto__ is data and nothing else',
    requirement: '7.2.1',
    file: 'lib/compat/session.ts',
    text: 'else Object.defineProperty(this, key, { value, writable: true, enumerable: true, configurable: true })',
    replacement: 'else this[key] = value',
    test: session,
  },
  {
    check: 'the session takes no name that the request has already',
    requirement: '8.3.1',
    file: 'lib/options/values.ts',
    text: 'if (!isOwn && !app.hasRequestDecorator(name)) return name',
    replacement: 'return name',
    test: 'test/unit/options/decorate-as.test.ts',
  },
]
