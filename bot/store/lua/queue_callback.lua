-- queue_callback: let a callback be sent to one endpoint; the same one twice is one.
--
-- KEYS[1]  {ns}:callback:<id>        hash    doc; n: tries; kept 30 days after the last change
-- KEYS[2]  {ns}:endpoint:<id>        hash
-- KEYS[3]  {ns}:endpoint:<id>:due    zset    callback -> when it is tried next, Unix ms; kept as a callback is
-- KEYS[4]  {ns}:endpoint:<id>:dead   zset    callback -> when it was given up, Unix ms
-- ARGV[1]  callback id
-- ARGV[2]  what it is, JSON
-- ARGV[3]  "new": only if it was never queued; "again": also if it was, whatever came of it; "dead": only if it was given up,
--          or waits
-- ARGV[4]  lifetime, ms
-- Returns  {"queued"} | {"known"} | {"busy"} (it is being sent just now) | {"gone"}

if redis.call("EXISTS", KEYS[2]) == 0 then
  return { "gone" }
end
local now = now_ms()
local h = redis.call("HMGET", KEYS[1], "doc", "leased_until")
if ARGV[3] == "dead" and (not h[1] or not redis.call("ZSCORE", KEYS[4], ARGV[1])) then
  redis.call("ZREM", KEYS[4], ARGV[1])
  if h[1] and redis.call("ZSCORE", KEYS[3], ARGV[1]) then
    return { "queued" }
  end
  return { "gone" }
end
if h[1] and ARGV[3] == "new" then
  return { "known" }
end
if h[2] and tonumber(h[2]) > now then
  return { "busy" }
end
redis.call("HDEL", KEYS[1], "n", "first", "last", "error", "ended", "lease", "leased_until", "failed_by")
redis.call("HSET", KEYS[1], "doc", h[1] or ARGV[2])
redis.call("PEXPIRE", KEYS[1], ARGV[4])
redis.call("ZREM", KEYS[4], ARGV[1])
redis.call("ZADD", KEYS[3], now, ARGV[1])
redis.call("PEXPIRE", KEYS[3], ARGV[4])
return { "queued" }
