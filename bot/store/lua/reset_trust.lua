-- reset_trust: a person lets a trust ramp start over.
--
-- KEYS[1]  {ns}:trust:<id>   hash    good: ends that counted; at: last change, Unix ms; ramp: its text; reset_*: last reset
-- KEYS[2]  {ns}:trust        zset    text -> last change, Unix ms
-- KEYS[3]  {ns}:events       stream
-- ARGV[1]  who resets it
-- Returns  {"reset", <good ends before>} | {"gone"}

local h = redis.call("HMGET", KEYS[1], "good", "ramp")
if not h[2] then
  return { "gone" }
end
local now = now_ms()
local at = string.format("%.0f", now)
redis.call("HSET", KEYS[1], "good", "0", "at", at, "reset_at", at, "reset_why", "person", "reset_by", ARGV[1])
redis.call("PEXPIRE", KEYS[1], TRUST_KEPT_MS)
redis.call("ZADD", KEYS[2], now, h[2])
redis.call("PEXPIRE", KEYS[2], TRUST_KEPT_MS)
tell(KEYS[3], nil, now, "trust_reset", "", "", "", "1", "person")
return { "reset", h[1] or "0" }
