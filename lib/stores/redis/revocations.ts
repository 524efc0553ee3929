import { randomBytes } from 'node:crypto'
import type { Revocation, RevocationLog } from '../../../types/revocation-log.js'
import type { SessionId } from '../../../types/session.js'
import type { RedisConnection } from './connection.js'
import { dataKey, head, type Script, script } from './scripts.js'

/** Entries that the log keeps, and so the most that one answer has. */
const maxEntries = 10_000

/**
 * The log is a stream, whose name begins as a session's key does. Visitors are not in it: after six fields without a space the
 * JSON of a session (codec.ts) begins with its user. A value that is no session is taken for that of a user.
 */
const withLog = `
local function log(key, stored, what)
  if type(stored) == 'string' and string.match(stored, '^%S+ %S+ %S+ %S+ %S+ %S+ {"userId":null[,}]', 71) then return end
  redis.call('XADD', string.sub(key, 1, #key - 32) .. 'revocations', 'MAXLEN', '~', ${maxEntries}, '*', what, string.sub(key, -23, -2))
end
`
const withoutLog = `
local function log() end
`

/**
 * The entry comes before the deletion: if it cannot be written, the session is still there. UNLINK needs no memory, so what
 * comes after it is let through on a server that is full.
 */
const take = `
local function take(key)
  local stored = redis.pcall('GET', key)
  redis.call('UNLINK', dataKeyOf(key))
  if not stored then return false end
  log(key, stored, 'ended')
  redis.call('DEL', key)
  return type(stored) == 'string' and stored or ''
end
`

/** The scripts that end or change sessions. */
export interface RevokingScripts {
  /**
   * KEYS: a session. ARGV: grace, the version that it must have, absolute and idle deadline or '', the tail of the new value.
   * Returns 1 if it was updated, 0 if it has another version, -1 if there is none. What activity moves is taken from the
   * value of this moment.
   */
  readonly updateSession: Script
  /** KEYS: sessions. Deletes them and their data, and returns for each 1, or 0 if it was absent. */
  readonly takeSessions: Script
  /** KEYS: a session. Returns its value, '' if it is unreadable, nil if there is none. */
  readonly takeSession: Script
  /** KEYS: sessions. Deletes them and their data, and returns how many sessions there were. */
  readonly deleteSessions: Script
}

function revokingScripts(log: string): RevokingScripts {
  return {
    updateSession: script(
      head,
      log,
      `
local stored = call('GET', KEYS[1])
if not stored then return -1 end
local idle, absolute = numberAt(stored, 1), numberAt(stored, 3)
local version = string.match(stored, '^(%d+) ', 71)
if not (isHead(sub(stored, 1, 69)) and absolute and version) then return redis.error_reply('ERR not a session') end
if version ~= ARGV[2] then return 0 end
absolute = math.max(absolute, tonumber(ARGV[3]) or absolute)
if idle then idle = math.min(absolute, math.max(idle, tonumber(ARGV[4]) or idle)) end
local fields = { sub(stored, 1, 16), idle and string.format('%016.0f', idle) or sub(stored, 18, 33),
  sub(stored, 35, 50), string.format('%016.0f', absolute), sub(stored, 69, 69), ARGV[5] }
log(KEYS[1], stored, 'changed')
call('SET', KEYS[1], table.concat(fields, ' '))
local expiry = string.format('%.0f', (idle or absolute) + tonumber(ARGV[1]))
call('PEXPIREAT', KEYS[1], expiry)
if hasData(stored) then call('PEXPIREAT', dataKeyOf(KEYS[1]), expiry) end
return 1
`,
    ),
    takeSessions: script(
      dataKey,
      log,
      take,
      `
local taken = {}
for i, key in ipairs(KEYS) do taken[i] = take(key) and 1 or 0 end
return taken
`,
    ),
    takeSession: script(dataKey, log, take, 'return take(KEYS[1])'),
    deleteSessions: script(
      dataKey,
      log,
      take,
      `
local deleted = 0
for _, key in ipairs(KEYS) do deleted = deleted + (take(key) and 1 or 0) end
return deleted
`,
    ),
  }
}

export const loggingScripts = revokingScripts(withLog)
/** For a cluster, in which a session and the log lie on different servers, and for what nobody has to hear of. */
export const silentScripts = revokingScripts(withoutLog)

/**
 * KEYS: the log. ARGV: the cursor as the id of an entry and what is in it, or ''; what to begin a log with. Returns what comes after
 * that entry, as id, content, …; or false and the last entry, if that entry is not there.
 */
const readLog = script(`
local function flat(entries, from)
  local list = {}
  for i = from, #entries do
    table.insert(list, entries[i][1])
    table.insert(list, entries[i][2][1] .. ' ' .. entries[i][2][2])
  end
  return list
end
local found = ARGV[1] ~= '' and redis.pcall('XRANGE', KEYS[1], ARGV[1], '+', 'COUNT', ${maxEntries + 2}) or {}
local first = found[1]
if first and #found < ${maxEntries + 2} and first[1] == ARGV[1] and first[2][1] .. ' ' .. first[2][2] == ARGV[2] then
  return { 1, flat(found, 2) }
end
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
if #last == 0 then
  redis.call('XADD', KEYS[1], '*', 'began', ARGV[3])
  last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
end
return { 0, flat(last, 1) }
`)

const cursorPattern = /^(\d+-\d+) (\w+ [\w-]+)$/

/**
 * Reads what the scripts above write down. A cursor is an entry, the last one at that time: what comes after it is all that has
 * happened since. An entry that is gone or is another one (a log that was flushed, ran past its length, or is that of a
 * replica which had not received the entry) means that something may be missing. So there is always an entry: the first call
 * begins a log with one.
 */
export function revocationReader(
  connection: RedisConnection,
  prefix: string,
): RevocationLog['readRevocations'] {
  return async (cursor) => {
    const [, id = '', content = ''] = cursorPattern.exec(cursor ?? '') ?? []
    const begin = randomBytes(16).toString('hex')
    const reply = await connection.run(readLog, [`${prefix}revocations`], [id, content, begin])
    const [known, flat] = reply as [unknown, unknown[]]
    const next = flat.length > 0 ? `${flat.at(-2)} ${flat.at(-1)}` : `${id} ${content}`
    if (cursor === null) return { cursor: next, entries: [] }
    return { cursor: next, entries: Number(known) === 1 ? toRevocations(flat) : null }
  }
}

function toRevocations(flat: readonly unknown[]): Revocation[] {
  const entries: Revocation[] = []
  for (let i = 1; i < flat.length; i += 2) {
    const [what, id] = String(flat[i]).split(' ') as [string, string]
    if (what !== 'began') entries.push({ id: id as SessionId, ended: what === 'ended' })
  }
  return entries
}
