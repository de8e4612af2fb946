-- take_callback: take the right to send a callback that is due, for a while, so that two processes do not both send it.
--
-- KEYS[1]  {ns}:callback:<id>          hash    n: tries; lease: who sends it; leased_until, first, last: Unix ms
-- KEYS[2]  {ns}:endpoint:<id>:due      zset
-- KEYS[3]  {ns}:endpoint:<id>:leases   zset    callback that is being sent -> until when, Unix ms; kept as long as that
-- ARGV[1]  callback id
-- ARGV[2]  who takes it; the same one again has it still
-- ARGV[3]  for how long, ms
-- ARGV[4]  how many of one endpoint may be sent at once
-- ARGV[5]  lifetime of a callback, ms
-- Returns  {"taken", <doc>, <tries, this one included>} | {"early"} | {"full"} | {"gone"}

local h = redis.call("HMGET", KEYS[1], "doc", "lease", "n")
local due = redis.call("ZSCORE", KEYS[2], ARGV[1])
if not h[1] or not due then
  redis.call("ZREM", KEYS[2], ARGV[1])
  return { "gone" }
end
if h[2] == ARGV[2] then
  return { "taken", h[1], tonumber(h[3]) }
end
local now = now_ms()
if tonumber(due) > now then
  return { "early" }
end
redis.call("ZREMRANGEBYSCORE", KEYS[3], "-inf", now)
if redis.call("ZCARD", KEYS[3]) >= tonumber(ARGV[4]) then
  return { "full" }
end
local at, ends = string.format("%.0f", now), string.format("%.0f", now + tonumber(ARGV[3]))
redis.call("HSETNX", KEYS[1], "first", at)
redis.call("HSET", KEYS[1], "last", at, "lease", ARGV[2], "leased_until", ends)
redis.call("PEXPIRE", KEYS[1], ARGV[5])
redis.call("ZADD", KEYS[2], ends, ARGV[1])
redis.call("ZADD", KEYS[3], ends, ARGV[1])
redis.call("PEXPIRE", KEYS[3], ARGV[3])
return { "taken", h[1], redis.call("HINCRBY", KEYS[1], "n", 1) }
