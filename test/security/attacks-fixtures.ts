import type { Test } from 'tap'
import { Site, type SiteOptions } from './site.js'

export const minute = 60_000

export function cookieOf(token: string): string {
  return `Cookie: __Host-session=${token}`
}

export function bearerOf(token: string): string {
  return `Authorization: Bearer ${token}`
}

/** A site whose time stands still until it is moved. */
export async function clockedSite(t: Test, options: SiteOptions = {}) {
  let now = Date.parse('2030-01-01T00:00:00Z')
  const clock = { now: () => now }
  const site = await Site.start(t, { ...options, gosesh: { ...options.gosesh, clock } })
  return {
    site,
    pass(ms: number) {
      now += ms
    },
  }
}
