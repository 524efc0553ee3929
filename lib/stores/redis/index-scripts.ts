import { type Script, script } from './scripts.js'

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
