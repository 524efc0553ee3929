import { type Script, script } from './scripts.js'

/** KEYS: a device code. ARGV: the time at which it expires, fields and values. Returns 1, or 0 if it exists. */
export const insertDeviceCode: Script = script(`
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
redis.call('PEXPIREAT', KEYS[1], ARGV[1])
return 1
`)

/** KEYS: a device code. Returns its fields and values. Read where it is written: a replica may lag. */
export const readDeviceCode: Script = script(`
return redis.call('HGETALL', KEYS[1])
`)

/** KEYS: a device code. ARGV: the time of a poll, the interval. Returns 1 if the code exists, else 0. */
export const recordDevicePoll: Script = script(`
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
for i, field in ipairs({'lastPolledAt', 'interval'}) do
  local stored = redis.call('HGET', KEYS[1], field)
  if not stored or tonumber(stored) < tonumber(ARGV[i]) then redis.call('HSET', KEYS[1], field, ARGV[i]) end
end
return 1
`)

/**
 * KEYS: a device code. ARGV: its user code id, the status; if it is approved, the user's and the session's id. Returns 1, or 0 if the
 * code is absent, decided, or that of another user code.
 */
export const decideDeviceCode: Script = script(`
if redis.call('HGET', KEYS[1], 'userCodeId') ~= ARGV[1] then return 0 end
if redis.call('HGET', KEYS[1], 'status') ~= 'pending' then return 0 end
redis.call('HSET', KEYS[1], 'status', ARGV[2])
if ARGV[3] then redis.call('HSET', KEYS[1], 'userId', ARGV[3], 'sessionId', ARGV[4]) end
return 1
`)

/** KEYS: a device code. Returns its fields and values, and deletes it. */
export const consumeDeviceCode: Script = script(`
local stored = redis.call('HGETALL', KEYS[1])
redis.call('DEL', KEYS[1])
return stored
`)

/** KEYS: a user code. ARGV: the device code that it leads to. Deletes it if it still does. */
export const releaseUserCode: Script = script(`
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1
`)
