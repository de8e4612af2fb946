-- reset_too: a trust ramp that several shards count in was started over in one of them: so it is here, once.
--
-- KEYS[1]  {ns}:trust:<id>   hash
-- KEYS[2]  {ns}:trust        zset
-- ARGV[1]  when it was started over there, Unix ms
-- ARGV[2]  why
-- ARGV[3]  what did it, or who
-- Returns  {"reset"} | {"known"} (it was, or has never moved here)

local h = redis.call("HMGET", KEYS[1], "reset_at", "ramp")
if not h[2] or (tonumber(h[1]) or 0) >= tonumber(ARGV[1]) then
  return { "known" }
end
local now = now_ms()
redis.call("HSET", KEYS[1], "good", "0", "at", string.format("%.0f", now), "reset_at", ARGV[1], "reset_why", ARGV[2],
  "reset_by", ARGV[3])
redis.call("PEXPIRE", KEYS[1], TRUST_KEPT_MS)
redis.call("ZADD", KEYS[2], now, h[2])
redis.call("PEXPIRE", KEYS[2], TRUST_KEPT_MS)
return { "reset" }
