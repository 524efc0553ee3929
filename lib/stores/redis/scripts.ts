import { hash } from 'node:crypto'

/** A Lua script and the name under which a server that has seen it knows it. */
export interface Script {
  readonly source: string
  readonly sha1: string
}

/** The parts are one script. */
export function script(...parts: string[]): Script {
  const source = parts.map((part) => part.trim()).join('\n')
  return { source, sha1: hash('sha1', source) }
}

/**
 * The head of a session's value (codec.ts) in Lua: four numbers, and how its two that move are set, the first
 * as text. PEXPIREAT comes before SETRANGE for two reasons: if the new expiry has passed it deletes the key, which
 * SETRANGE would make anew without a TTL; and a script whose first write needs no memory may go on writing on a server
 * that is full. Whether the key is still there is asked only if the expiry is past or within a minute (`soon`).
 */
const head = `
local call, sub = redis.call, string.sub
local soon = call('TIME')[1] * 1000 + 60000
local function isHead(stored)
  return #stored == 67 and sub(stored, 51, 51) == ' '
end
local function numberAt(stored, place)
  return tonumber(sub(stored, place * 17 + 1, place * 17 + 16))
end
local function move(key, grace, last, idle, absolute)
  local expiry = (idle and math.min(idle, absolute) or absolute) + grace
  call('PEXPIREAT', key, expiry)
  if expiry < soon and call('EXISTS', key) == 0 then return 0 end
  call('SETRANGE', key, 0, idle and string.format('%s %016.0f', last, idle) or last)
  return 1
end
`

/** KEYS: any string. ARGV: its value, the time at which it expires. Returns 1, or 0 if the key exists. */
export const insertValue: Script = script(`
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('SET', KEYS[1], ARGV[1])
redis.call('PEXPIREAT', KEYS[1], ARGV[2])
return 1
`)

/** KEYS: a session. ARGV: grace, last activity of 16 characters, idle deadline or ''. Returns 1 if it exists, else 0. */
export const extendSession: Script = script(
  head,
  `
local stored = call('GETRANGE', KEYS[1], 0, 66)
if stored == '' then return 0 end
local last, absolute = numberAt(stored, 0), numberAt(stored, 3)
if not (isHead(stored) and last and absolute) then return redis.error_reply('ERR not a session') end
local idle, to = numberAt(stored, 1), tonumber(ARGV[3])
if idle and to then idle = math.max(idle, to) end
local at = last > tonumber(ARGV[2]) and sub(stored, 1, 16) or ARGV[2]
return move(KEYS[1], tonumber(ARGV[1]), at, idle, absolute)
`,
)

/**
 * KEYS: a session. ARGV: grace, the version that it must have, absolute and idle deadline or '', the tail of the new value.
 * Returns 1 if it was updated, 0 if it has another version, -1 if there is none. What activity moves is taken from the
 * value of this moment.
 */
export const updateSession: Script = script(
  head,
  `
local stored = call('GET', KEYS[1])
if not stored then return -1 end
local idle, absolute = numberAt(stored, 1), numberAt(stored, 3)
local version = string.match(stored, '^(%d+) ', 69)
if not (isHead(sub(stored, 1, 67)) and absolute and version) then return redis.error_reply('ERR not a session') end
if version ~= ARGV[2] then return 0 end
absolute = math.max(absolute, tonumber(ARGV[3]) or absolute)
if idle then idle = math.min(absolute, math.max(idle, tonumber(ARGV[4]) or idle)) end
local fields = { sub(stored, 1, 16), idle and string.format('%016.0f', idle) or sub(stored, 18, 33),
  sub(stored, 35, 50), string.format('%016.0f', absolute), ARGV[5] }
call('SET', KEYS[1], table.concat(fields, ' '))
call('PEXPIREAT', KEYS[1], string.format('%.0f', (idle or absolute) + tonumber(ARGV[1])))
return 1
`,
)

/**
 * KEYS: sessions. ARGV: grace, then the last activity of each, of 16 characters. Returns how many moved. A key that
 * holds no session is passed over: one broken value must not keep everybody's activity from being written.
 */
export const recordActivity: Script = script(
  head,
  `
local grace, moved = tonumber(ARGV[1]), 0
for i, key in ipairs(KEYS) do
  local stored = redis.pcall('GETRANGE', key, 0, 66)
  if type(stored) == 'string' and isHead(stored) then
    local at, last, absolute = tonumber(ARGV[i + 1]), numberAt(stored, 0), numberAt(stored, 3)
    if last and absolute and at > last then
      local idle, timeout = numberAt(stored, 1), numberAt(stored, 2)
      if idle and timeout then idle = math.max(idle, math.min(absolute, at + timeout)) end
      moved = moved + move(key, grace, ARGV[i + 1], idle, absolute)
    end
  end
end
return moved
`,
)

/** KEYS: sessions. Returns the value of each, read where it is written: a replica may lag. */
export const readSessions: Script = script(`
local values = {}
for i, key in ipairs(KEYS) do values[i] = redis.call('GET', key) end
return values
`)

/** KEYS: sessions. Returns the value of each, nil for what is absent or no string. */
export const peekSessions: Script = script(`
local values = {}
for i, key in ipairs(KEYS) do
  local stored = redis.pcall('GET', key)
  values[i] = type(stored) == 'string' and stored
end
return values
`)

/** KEYS: sessions. Deletes them, and returns for each 1, or 0 if it was absent. */
export const takeSessions: Script = script(`
local taken = {}
for i, key in ipairs(KEYS) do taken[i] = redis.call('DEL', key) end
return taken
`)

/** KEYS: a session. Returns its value, '' if it is unreadable, nil if there is none. */
export const takeSession: Script = script(`
local stored = redis.pcall('GET', KEYS[1])
if redis.call('DEL', KEYS[1]) == 0 then return false end
return type(stored) == 'string' and stored or ''
`)

/** KEYS: sessions. Returns how many there were. */
export const deleteSessions: Script = script(`
return redis.call('DEL', unpack(KEYS))
`)

/** KEYS: a user. ARGV: the auth provider id. The times are for people who look; nothing depends on them. */
export const upsertUser: Script = script(`
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
redis.call('HSETNX', KEYS[1], 'authProviderId', ARGV[1])
redis.call('HSETNX', KEYS[1], 'createdAt', now)
redis.call('HSET', KEYS[1], 'lastSeenAt', now)
return 1
`)

/**
 * Takes the entries out of an index (user-index.ts) whose sessions Redis itself has let expire. If it comes first,
 * the script may go on writing on a server that is full.
 */
const tidy = `
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
local function tidy(index, grace)
  local over = now() - grace
  redis.call('ZREMRANGEBYSCORE', index, string.format('%.0f', -over), string.format('%.0f', over))
end
`

/** KEYS: an index. ARGV: grace, absolute deadline, session id. Returns 1, or 0 if the id is in the index already. */
export const addEntry: Script = script(
  tidy,
  `
local grace, absolute = tonumber(ARGV[1]), tonumber(ARGV[2])
local pending = ARGV[2] .. '.5'
local added = redis.call('ZADD', KEYS[1], 'NX', pending, ARGV[3])
if added == 0 and redis.call('ZSCORE', KEYS[1], ARGV[3]) == '-' .. pending then
  redis.call('ZADD', KEYS[1], pending, ARGV[3])
  added = 1
end
tidy(KEYS[1], grace)
local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
local latest = math.max(absolute, math.floor(last[2] or 0), math.floor(-(first[2] or 0)))
redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', latest + grace))
return added
`,
)

/**
 * KEYS: an index. ARGV: grace, absolute deadline, session id. Moves the entry of a session that exists forward, and makes one
 * that is gone anew: Redis may have evicted it, and if it went with its session it is left over and harmless. Returns 0 if it
 * is condemned, or the session's creation is still under way.
 */
export const raiseEntry: Script = script(
  tidy,
  `
local score = redis.call('ZSCORE', KEYS[1], ARGV[3])
if score and (tonumber(score) < 0 or string.match(score, '%.5$')) then return 0 end
if score and tonumber(ARGV[2]) <= tonumber(score) then return 1 end
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[3])
local expiry = tonumber(ARGV[2]) + tonumber(ARGV[1])
if redis.call('PTTL', KEYS[1]) + now() < expiry then redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', expiry)) end
return 1
`,
)

/** KEYS: an index of metadata. ARGV: grace, absolute deadline, session id. */
export const addMetadataEntry: Script = script(
  tidy,
  `
local grace, absolute = tonumber(ARGV[1]), tonumber(ARGV[2])
local score = redis.call('ZSCORE', KEYS[1], ARGV[3])
if not score or tonumber(score) < absolute then redis.call('ZADD', KEYS[1], ARGV[2], ARGV[3]) end
tidy(KEYS[1], grace)
local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', math.max(absolute, last[2] or 0) + grace))
return 1
`,
)

/**
 * KEYS: an index. ARGV: grace, absolute deadline, session id. Returns 0 if the entry is gone or condemned, unless
 * that is because the session is past its time.
 */
export const settleEntry: Script = script(
  tidy,
  `
local score = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[3]) or 0)
if score > 0 then
  redis.call('ZADD', KEYS[1], 'XX', ARGV[2], ARGV[3])
  return 1
end
return tonumber(ARGV[2]) + tonumber(ARGV[1]) <= now() and 1 or 0
`,
)

/** KEYS: indexes. ARGV: grace, the id to spare or ''. Returns for each its condemned entries: id, score, id, score. */
export const condemnEntries: Script = script(
  tidy,
  `
local condemned = {}
for i, index in ipairs(KEYS) do
  tidy(index, tonumber(ARGV[1]))
  local entries = redis.call('ZRANGE', index, 0, -1, 'WITHSCORES')
  condemned[i] = {}
  for j = 1, #entries, 2 do
    local id, score = entries[j], entries[j + 1]
    if id ~= ARGV[2] then
      if tonumber(score) > 0 then
        score = '-' .. score
        redis.call('ZADD', index, 'XX', score, id)
      end
      table.insert(condemned[i], id)
      table.insert(condemned[i], score)
    end
  end
end
return condemned
`,
)

/** KEYS: the index of each entry. ARGV: each entry, as its score and its id. Removes those that have that score. */
export const removeEntries: Script = script(`
for i, index in ipairs(KEYS) do
  local score, id = string.match(ARGV[i], '^(%S+) (.+)$')
  if redis.call('ZSCORE', index, id) == score then redis.call('ZREM', index, id) end
end
return 1
`)

/** KEYS: an index. Returns its entries: id, score, id, score. Read where they are written: a replica may lag. */
export const listEntries: Script = script(`
return redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
`)

/** KEYS: an index of metadata. Returns its session ids. Read where they are written: a replica may lag. */
export const listIds: Script = script(`
return redis.call('ZRANGE', KEYS[1], 0, -1)
`)

/** KEYS: the index of each entry. ARGV: the session id of each. */
export const removeIds: Script = script(`
for i, index in ipairs(KEYS) do redis.call('ZREM', index, ARGV[i]) end
return 1
`)
