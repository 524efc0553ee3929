import { describe, expect, test } from 'tstyche'
import type { CompatSession } from '../../../lib/compat/index.js'

declare const session: CompatSession

describe('request.session of gosesh/compat', () => {
  test('has the calls of the session plugins', () => {
    expect(session.sessionId).type.toBe<string>()
    expect(session.get).type.toBeCallableWith('cart')
    expect(session.set).type.toBeCallableWith('cart', ['tea'])
    expect(session.set).type.toBeCallableWith('cart', undefined)
    expect(session.isModified()).type.toBe<boolean>()
    expect(session.delete()).type.toBe<void>()
  })

  test('takes a callback or returns a promise', () => {
    for (const method of ['save', 'reload', 'destroy', 'regenerate'] as const) {
      expect(session[method]()).type.toBe<Promise<void>>()
      expect(session[method]((_error: unknown) => {})).type.toBe<void>()
    }
    expect(session.regenerate(['cart'])).type.toBe<Promise<void>>()
    expect(session.regenerate(['cart'], () => {})).type.toBe<void>()
    expect(session.regenerate).type.not.toBeCallableWith('cart')
  })
})
