-- end_callback: a callback needs nothing more: the receiver has it, or what it was about is gone.
--
-- That a receiver has it counts whoever sent it. What was ended stays known for a while, so that it is not queued again.
--
-- KEYS[1]  {ns}:callback:<id>          hash    ended: how
-- KEYS[2]  {ns}:endpoint:<id>:due      zset
-- KEYS[3]  {ns}:endpoint:<id>:leases   zset
-- KEYS[4]  {ns}:endpoint:<id>:dead     zset
-- KEYS[5]  {ns}:endpoint:<id>          hash    delivered: count; failing_since
-- ARGV[1]  callback id
-- ARGV[2]  who has it
-- ARGV[3]  "delivered" or "dropped"
-- ARGV[4]  for how long it stays known, ms
-- Returns  {"ended"} | {"over"} (it was already) | {"lost"}

local h = redis.call("HMGET", KEYS[1], "doc", "lease", "ended")
if not h[1] or h[3] == "delivered" then
  return { "over" }
end
if ARGV[3] ~= "delivered" and h[2] ~= ARGV[2] then
  return { "lost" }
end
redis.call("HDEL", KEYS[1], "lease", "leased_until", "error")
redis.call("HSET", KEYS[1], "ended", ARGV[3])
redis.call("PEXPIRE", KEYS[1], ARGV[4])
redis.call("ZREM", KEYS[2], ARGV[1])
redis.call("ZREM", KEYS[3], ARGV[1])
redis.call("ZREM", KEYS[4], ARGV[1])
if ARGV[3] == "delivered" and redis.call("EXISTS", KEYS[5]) == 1 then
  redis.call("HINCRBY", KEYS[5], "delivered", 1)
  redis.call("HDEL", KEYS[5], "failing_since")
end
return { "ended" }
