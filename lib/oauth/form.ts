import type { FastifyInstance } from 'fastify'
import { GoseshError } from '../core/errors.js'

const bodyLimit = 32 * 1_024

/** The fields of a form; throws if one is given twice (RFC 6749, section 3.2). */
function parseForm(text: string): Record<string, string> {
  const fields: Record<string, string> = Object.create(null)
  for (const [name, value] of new URLSearchParams(text)) {
    if (name in fields) throw new GoseshError('GOSESH_ERR_OAUTH_REQUEST')
    fields[name] = value
  }
  return fields
}

/** Lets the routes of this context take forms and JSON, whatever the application takes. */
export function takeForms(context: FastifyInstance): void {
  context.removeAllContentTypeParsers()
  context.addContentTypeParser(
    'application/json',
    { parseAs: 'string', bodyLimit },
    context.getDefaultJsonParser('error', 'error'),
  )
  context.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string', bodyLimit },
    async (_request: unknown, text: string) => parseForm(text),
  )
}

/** All fields of a body; throws `GOSESH_ERR_OAUTH_REQUEST` if one is no text. */
export function fieldsOf(body: unknown): Readonly<Record<string, string>> {
  const entries = typeof body === 'object' && body !== null ? Object.entries(body) : []
  if (entries.every(([, value]) => typeof value === 'string')) return Object.fromEntries(entries)
  throw new GoseshError('GOSESH_ERR_OAUTH_REQUEST')
}
