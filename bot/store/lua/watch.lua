-- watch: say that somebody is there to hear signs of life, and find what has had none for too long.
--
-- KEYS[1]  {ns}:beats        zset
-- KEYS[2]  {ns}:leases       zset
-- KEYS[3]  {ns}:beats:watch  hash    at: when somebody was there last; since: from then on somebody was, without a gap; Unix ms
-- ARGV[1]  a longer time than this between two of these calls is a gap, ms
-- ARGV[2]  "away" when the caller could not hear for a while, else ""
-- ARGV[3]  so many of each at most
-- Returns  {"watching", {<run>, <due ms>, …}, {<handoff>, <due ms>, …}}

local now = now_ms()
local since = watched_since(KEYS[3], now, tonumber(ARGV[1]))
if ARGV[2] == "away" then
  since = now
end
redis.call("HSET", KEYS[3], "at", string.format("%.0f", now), "since", string.format("%.0f", since))
redis.call("PEXPIRE", KEYS[3], 24 * 3600 * 1000)
return { "watching",
  redis.call("ZRANGE", KEYS[1], "-inf", now, "BYSCORE", "LIMIT", 0, ARGV[3], "WITHSCORES"),
  redis.call("ZRANGE", KEYS[2], "-inf", now, "BYSCORE", "LIMIT", 0, ARGV[3], "WITHSCORES") }
