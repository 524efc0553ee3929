import type { Browser } from './browser.js'

export const transactionError = '400 GOSESH_ERR_OAUTH_TRANSACTION'
export const verificationError = '400 GOSESH_ERR_OAUTH_VERIFICATION'
export const unavailableError = '503 GOSESH_ERR_OAUTH_PROVIDER_UNAVAILABLE'

/** Changes the one transaction that the browser keeps. */
export function tamper(browser: Browser, origin: string, change: (fields: unknown[]) => unknown): void {
  const jar = browser.cookies(origin)
  const [[name, value] = ['', '']] = [...jar].filter(([key]) => key.startsWith('__Host-oauth-'))
  const fields = JSON.parse(Buffer.from(value, 'base64url').toString())
  jar.set(name, Buffer.from(JSON.stringify(change(fields))).toString('base64url'))
}

export function changed(url: string, parameters: Record<string, string | null>): string {
  const result = new URL(url)
  for (const [name, value] of Object.entries(parameters)) {
    if (value === null) result.searchParams.delete(name)
    else result.searchParams.set(name, value)
  }
  return result.href
}
