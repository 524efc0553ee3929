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
 * What a session's data is called: the key of the session with another word before the id, which is its hash tag, so both
 * lie in one slot of a cluster.
 */
export const dataKey = `
local function dataKeyOf(key)
  return string.sub(key, 1, #key - 32) .. 'data:' .. string.sub(key, -24)
end
`

/**
 * The head of a session's value (codec.ts) in Lua: four numbers and the mark of data, and how its two that move are set, the
 * first as text. The data expires with its session. PEXPIREAT comes before SETRANGE for two reasons: if the new expiry has
 * passed it deletes the key, which SETRANGE would make anew without a TTL; and a script whose first write needs no memory
 * may go on writing on a server that is full. The script asks if the key is still there only if the expiry is past or
 * within a minute (`soon`).
 */
export const head = `
${dataKey}
local call, sub = redis.call, string.sub
local soon = call('TIME')[1] * 1000 + 60000
local function isHead(stored)
  return #stored == 69 and sub(stored, 51, 51) == ' ' and sub(stored, 68, 68) == ' '
end
local function numberAt(stored, place)
  return tonumber(sub(stored, place * 17 + 1, place * 17 + 16))
end
local function hasData(stored)
  return sub(stored, 69, 69) == 'd'
end
local function move(key, stored, grace, last, idle, absolute)
  local expiry = (idle and math.min(idle, absolute) or absolute) + grace
  call('PEXPIREAT', key, expiry)
  if hasData(stored) then call('PEXPIREAT', dataKeyOf(key), expiry) end
  if expiry < soon and call('EXISTS', key) == 0 then return 0 end
  call('SETRANGE', key, 0, idle and string.format('%s %016.0f', last, idle) or last)
  return 1
end
`

/**
 * KEYS: any string. ARGV: its value, the time at which it expires, and for a session with data each key and its value. Returns
 * 1, or 0 if the key exists.
 */
export const insertValue: Script = script(
  dataKey,
  `
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('SET', KEYS[1], ARGV[1])
redis.call('PEXPIREAT', KEYS[1], ARGV[2])
if #ARGV > 2 then
  for i = 3, #ARGV, 2 do redis.call('HSET', dataKeyOf(KEYS[1]), ARGV[i], ARGV[i + 1]) end
  redis.call('PEXPIREAT', dataKeyOf(KEYS[1]), ARGV[2])
end
return 1
`,
)

/** KEYS: a session. ARGV: grace, last activity of 16 characters, idle deadline or ''. Returns 1 if it exists, else 0. */
export const extendSession: Script = script(
  head,
  `
local stored = call('GETRANGE', KEYS[1], 0, 68)
if stored == '' then return 0 end
local last, absolute = numberAt(stored, 0), numberAt(stored, 3)
if not (isHead(stored) and last and absolute) then return redis.error_reply('ERR not a session') end
local idle, to = numberAt(stored, 1), tonumber(ARGV[3])
if idle and to then idle = math.max(idle, to) end
local at = last > tonumber(ARGV[2]) and sub(stored, 1, 16) or ARGV[2]
return move(KEYS[1], stored, tonumber(ARGV[1]), at, idle, absolute)
`,
)

/**
 * KEYS: a session and its data. ARGV: grace, the most keys, then each key and its value, '' to delete it (no JSON is empty).
 * Returns 1, 0 if there would be too many keys, -1 if there is no session.
 */
const changeData = `
local function change(grace, max, from)
  local stored = call('GETRANGE', KEYS[1], 0, 68)
  if stored == '' then return -1 end
  local absolute = numberAt(stored, 3)
  if not (isHead(stored) and absolute) then return redis.error_reply('ERR not a session') end
  local grown = 0
  for i = from, #ARGV, 2 do
    local known = call('HEXISTS', KEYS[2], ARGV[i])
    if ARGV[i + 1] == '' then grown = grown - known else grown = grown + 1 - known end
  end
  if grown > 0 and call('HLEN', KEYS[2]) + grown > max then return 0 end
  for i = from, #ARGV, 2 do
    if ARGV[i + 1] == '' then call('HDEL', KEYS[2], ARGV[i]) else call('HSET', KEYS[2], ARGV[i], ARGV[i + 1]) end
  end
  if not hasData(stored) then call('SETRANGE', KEYS[1], 68, 'd') end
  local idle = numberAt(stored, 1)
  call('PEXPIREAT', KEYS[2], string.format('%.0f', (idle and math.min(idle, absolute) or absolute) + grace))
  return 1
end
`

export const writeData: Script = script(
  head,
  changeData,
  'return change(tonumber(ARGV[1]), tonumber(ARGV[2]), 3)',
)

/** As `writeData`, but ARGV has the expected value, '' if it is absent, before the key. Returns 2 if it is another one. */
export const swapData: Script = script(
  head,
  changeData,
  `
if call('EXISTS', KEYS[1]) == 0 then return -1 end
if (call('HGET', KEYS[2], ARGV[4]) or '') ~= ARGV[3] then return 2 end
return change(tonumber(ARGV[1]), tonumber(ARGV[2]), 4)
`,
)

/** KEYS: a session and its data. ARGV: keys, or none for all. Returns key, value, …; nil if there is no session. */
export const readData: Script = script(`
if redis.call('EXISTS', KEYS[1]) == 0 then return false end
if #ARGV == 0 then return redis.call('HGETALL', KEYS[2]) end
local found = {}
for i, value in ipairs(redis.call('HMGET', KEYS[2], unpack(ARGV))) do
  if value then
    table.insert(found, ARGV[i])
    table.insert(found, value)
  end
end
return found
`)

/**
 * KEYS: sessions. ARGV: grace, then the last activity of each, of 16 characters. Returns how many moved. A key that
 * holds no session is passed over: one broken value must not keep everybody's activity from being written.
 */
export const recordActivity: Script = script(
  head,
  `
local grace, moved = tonumber(ARGV[1]), 0
for i, key in ipairs(KEYS) do
  local stored = redis.pcall('GETRANGE', key, 0, 68)
  if type(stored) == 'string' and isHead(stored) then
    local at, last, absolute = tonumber(ARGV[i + 1]), numberAt(stored, 0), numberAt(stored, 3)
    if last and absolute and at > last then
      local idle, timeout = numberAt(stored, 1), numberAt(stored, 2)
      if idle and timeout then idle = math.max(idle, math.min(absolute, at + timeout)) end
      moved = moved + move(key, stored, grace, ARGV[i + 1], idle, absolute)
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

/** KEYS: a user. Returns 1, or 0 if there is none. */
export const deleteUser: Script = script(`
return redis.call('DEL', KEYS[1])
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
