/** What is kept of a shard that nobody asks for any more. */
const KEEP_MS = 30 * 24 * 3600 * 1000;

/**
 * Of each shard there are two keys: `heard`, the times at which each was last heard, and `notes`, each behind the time at which
 * it was made; all times are of this server's clock. The first member of `heard` is a mark, which is there for as long as all
 * the others are: without it, or with another one, something was forgotten. Behind an `@` it says when it was made. It is in the notes too, since a slot that is about to
 * move answers only who asks for keys that are all there. Extending their life is a write on purpose: a
 * server that may not be written to, as it was replaced or is cut off, does not answer reads either.
 */
const BEGIN = `
local heard, notes = KEYS[1], KEYS[2]
local info = redis.call('INFO', 'server', 'replication')
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local mark = redis.call('ZRANGE', heard, 0, 0)[1]
if not mark or mark:sub(1, 1) ~= '!' then
  mark = '!' .. ARGV[1] .. '@' .. string.format('%d', now)
  redis.call('ZADD', heard, 0, mark)
end
redis.call('HSETNX', notes, '!', mark)
redis.call('PEXPIRE', heard, ${KEEP_MS})
redis.call('PEXPIRE', notes, ${KEEP_MS})
local answer = { info:match('run_id:(%x+)') .. '/' .. info:match('master_replid:(%x+)'), now, mark }
`;

/**
 * Each is given the keys of a shard, a mark for the case that there is none, and what follows. Each answers which server it is,
 * its clock and the mark, and then what it was asked for.
 */
export const SCRIPTS = {
  /**
   * Keys, then as many ages. The last time that it was heard stands, whichever order renewals come in; a time that is yet to
   * come, since the clock was set or is that of another server, becomes now.
   */
  leasesRenew: `${BEGIN}
local count = (#ARGV - 1) / 2
local known = redis.call('ZMSCORE', heard, unpack(ARGV, 2, count + 1))
local newer = {}
for i = 1, count do
  local at, was = now - ARGV[count + 1 + i], tonumber(known[i])
  if was and was > now then at = now end
  if not was or was ~= at and (was < at or was > now) then
    newer[#newer + 1] = at
    newer[#newer + 1] = ARGV[i + 1]
  end
end
if #newer > 0 then redis.call('ZADD', heard, unpack(newer)) end
return answer`,

  /**
   * Keys. Answers how long ago the mark was made, and an age and a note for each. A time that is yet to come becomes now, or it would
   * stand until then.
   */
  leasesRead: `${BEGIN}
if #ARGV == 1 then return answer end
local made = tonumber(mark:match('@(%d+)$'))
answer[#answer + 1] = made and made <= now and now - made or false
local times = redis.call('ZMSCORE', heard, unpack(ARGV, 2))
local texts = redis.call('HMGET', notes, unpack(ARGV, 2))
for i = 1, #ARGV - 1 do
  local at, text = tonumber(times[i]), texts[i]
  if at and at > now then
    redis.call('ZADD', heard, now, ARGV[i + 1])
    at = now
  end
  answer[#answer + 1] = at and now - at or false
  answer[#answer + 1] = text and text:sub(text:find(' ', 1, true) + 1) or false
end
return answer`,

  /** Keys, then as many texts. */
  leasesNote: `${BEGIN}
local count = (#ARGV - 1) / 2
for i = 2, count + 1 do
  if ARGV[count + i] == '' then
    redis.call('HDEL', notes, ARGV[i])
  else
    redis.call('HSET', notes, ARGV[i], now .. ' ' .. ARGV[count + i])
  end
end
return answer`,

  /** Keys. */
  leasesForget: `${BEGIN}
redis.call('ZREM', heard, unpack(ARGV, 2))
redis.call('HDEL', notes, unpack(ARGV, 2))
return answer`,

  /** An age. The score of the mark is 0, below all that this looks at. */
  leasesSweep: `${BEGIN}
local before = now - ARGV[2]
local noted = {}
local all = redis.call('HGETALL', notes)
for i = 1, #all, 2 do noted[all[i]] = tonumber(all[i + 1]:match('^%d+')) end
for _, key in ipairs(redis.call('ZRANGEBYSCORE', heard, 1, before)) do
  if not noted[key] or noted[key] <= before then
    redis.call('ZREM', heard, key)
    redis.call('HDEL', notes, key)
  end
end
for key, at in pairs(noted) do
  if at <= before and not redis.call('ZSCORE', heard, key) then redis.call('HDEL', notes, key) end
end
return answer`,
} as const;

export type ScriptName = keyof typeof SCRIPTS;
