import type { DeviceCode, DeviceCodeId, UserCodeId } from '../../../types/device-code.js'
import type { SessionId, SessionMetadata } from '../../../types/session.js'
import { parseMetadata } from '../shared/metadata.js'
import { unreadable } from '../shared/unreadable.js'

/** A device code as the fields and values of a hash. What is `null` has no field. */
export function encodeDeviceCode(code: DeviceCode): string[] {
  const fields: Record<string, string | number | null> = {
    userCodeId: code.userCodeId,
    createdAt: code.createdAt.getTime(),
    expiresAt: code.expiresAt.getTime(),
    interval: code.interval,
    lastPolledAt: code.lastPolledAt?.getTime() ?? null,
    status: code.status,
    userId: code.userId,
    sessionId: code.sessionId,
    metadata: code.metadata === null ? null : JSON.stringify(code.metadata),
  }
  return Object.entries(fields).flatMap(([name, value]) => (value === null ? [] : [name, String(value)]))
}

type Fields = ReadonlyMap<string, string>

function text(fields: Fields, name: string): string {
  const value = fields.get(name)
  if (typeof value !== 'string' || value === '') throw unreadable('device code')
  return value
}

function milliseconds(fields: Fields, name: string): number {
  const digits = text(fields, name)
  const value = Number(digits)
  if (!/^-?\d+$/.test(digits) || Number.isNaN(new Date(value).getTime())) throw unreadable('device code')
  return value
}

function decodeDate(fields: Fields, name: string): Date {
  return new Date(milliseconds(fields, name))
}

function decodeDecision(fields: Fields): Pick<DeviceCode, 'status' | 'userId' | 'sessionId'> {
  const status = text(fields, 'status')
  if (status === 'approved') {
    return { status, userId: text(fields, 'userId'), sessionId: text(fields, 'sessionId') as SessionId }
  }
  if ((status !== 'pending' && status !== 'denied') || fields.has('userId')) throw unreadable('device code')
  return { status, userId: null, sessionId: null }
}

function decodeMetadata(fields: Fields): SessionMetadata | null {
  return parseMetadata(fields.get('metadata') ?? null)
}

/** The code of a hash's fields and values, or `null` if it has none. Throws `GOSESH_ERR_STORE_UNAVAILABLE`. */
export function decodeDeviceCode(id: DeviceCodeId, reply: unknown): DeviceCode | null {
  const flat = reply as string[]
  if (flat.length === 0) return null
  const fields = new Map<string, string>()
  for (let i = 0; i < flat.length; i += 2) fields.set(flat[i] as string, flat[i + 1] as string)
  return {
    id,
    userCodeId: text(fields, 'userCodeId') as UserCodeId,
    createdAt: decodeDate(fields, 'createdAt'),
    expiresAt: decodeDate(fields, 'expiresAt'),
    interval: milliseconds(fields, 'interval'),
    lastPolledAt: fields.has('lastPolledAt') ? decodeDate(fields, 'lastPolledAt') : null,
    ...decodeDecision(fields),
    metadata: decodeMetadata(fields),
  }
}
