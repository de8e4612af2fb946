-- beat: hear a sign of life of a run that promised them. One that was lost is found again. What the same process has
-- claimed and works on, it vouches for; what it does not name was another's, and is left to its lease.
--
-- KEYS[1]  {ns}:run:<id>              hash    patience: ms without one after which it is lost; beat_at: the last one; silent_at:
--                                            the same, while it is lost; over: it said its last; Unix ms
-- KEYS[2]  {ns}:beats                 zset    run -> when it is lost, Unix ms
-- KEYS[3]  {ns}:events                stream
-- KEYS[4]  {ns}:agent:<agent>:events  stream
-- KEYS[5]  {ns}:run:<id>:asks         zset    kept as its run is
-- KEYS[6]  {ns}:notices               stream
-- KEYS[7]  {ns}:leases                zset    id -> when nobody has vouched for it for too long, Unix ms
-- ARGV[1]  run id
-- ARGV[2]  agent
-- ARGV[3]  "last" when it is over and no more come, else ""
-- ARGV[4]  a run's life after its last sign of life, ms
-- ARGV[5]  of one that is found: what people are told, JSON
-- ARGV[6…] ids of handoffs that it works on
-- Returns  {"beating", <lost after, ms>, <silent since, ms, when it was lost, or "">} | {"over", "", <the same>}
--          | {"unpromised"} | {"gone"}

local r = redis.call("HMGET", KEYS[1], "agent", "patience", "silent_at")
if r[1] ~= ARGV[2] then
  return { "gone" }
end
if not r[2] then
  return { "unpromised" }
end
local now = now_ms()
local until_then = now + tonumber(r[2])
redis.call("HSET", KEYS[1], "beat_at", string.format("%.0f", now))
redis.call("HDEL", KEYS[1], "silent_at", "over")
redis.call("PEXPIRE", KEYS[1], ARGV[4], "GT")  -- what is on hold is kept for longer
redis.call("PEXPIRE", KEYS[5], redis.call("PTTL", KEYS[1]))
for i = 6, #ARGV do
  if redis.call("ZSCORE", KEYS[5], ARGV[i]) then
    redis.call("ZADD", KEYS[7], "XX", until_then, ARGV[i])
  end
end
redis.call("PEXPIRE", KEYS[7], ARGV[4])
if r[3] then
  tell(KEYS[3], KEYS[4], now, "found", "", ARGV[2], ARGV[1], "0", "")
  notify(KEYS[6], KEYS[3], now, ARGV[2], ARGV[1], ARGV[5])
end
if ARGV[3] == "last" then
  redis.call("HSET", KEYS[1], "over", "1")
  redis.call("ZREM", KEYS[2], ARGV[1])
  return { "over", "", r[3] or "" }
end
redis.call("ZADD", KEYS[2], until_then, ARGV[1])
redis.call("PEXPIRE", KEYS[2], ARGV[4])
return { "beating", until_then, r[3] or "" }
