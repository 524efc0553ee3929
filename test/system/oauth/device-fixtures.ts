import type { Test } from 'tap'
import { type GoseshOptions, MemoryStore } from '../../../lib/index.js'
import type { OAuthOptions } from '../../../lib/oauth/index.js'
import { scene, signInAt } from './app.js'

export const grant_type = 'urn:ietf:params:oauth:grant-type:device_code'

export interface Started {
  device_code: string
  user_code: string
  [name: string]: unknown
}

/** An application with device authorization, a browser that is signed in, and what a device does. */
export async function devices(
  t: Test,
  options: OAuthOptions['deviceAuthorization'] = true,
  sessions: GoseshOptions = {},
) {
  const clock = { offset: 0, now: () => Date.now() + clock.offset }
  const store = new MemoryStore()
  const setting = { deviceAuthorization: options, clock }
  const { app, origin, browser, button } = await scene(t, setting, {
    sessions: { store, clock, ...sessions },
  })
  await signInAt(browser, button)
  const post = async (path: string, form: Record<string, string>) => {
    const response = await fetch(`${origin}/auth/device/${path}`, {
      method: 'POST',
      body: new URLSearchParams(form),
    })
    t.equal(response.headers.get('cache-control'), 'no-store')
    return { status: response.status, body: await response.json() }
  }
  return {
    app,
    origin,
    browser,
    clock,
    store,
    page: `${origin}/auth/device`,
    post,
    start: async (form: Record<string, string> = { client_id: 'acme-cli' }): Promise<Started> =>
      (await post('code', form)).body as Started,
    poll: async ({ device_code }: Started) => await post('token', { grant_type, device_code }),
  }
}
