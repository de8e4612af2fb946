-- keep_callback: whoever sends a callback keeps it for a while longer.
--
-- KEYS[1]  {ns}:callback:<id>          hash
-- KEYS[2]  {ns}:endpoint:<id>:due      zset
-- KEYS[3]  {ns}:endpoint:<id>:leases   zset
-- ARGV[1]  callback id
-- ARGV[2]  who has it
-- ARGV[3]  for how long from now, ms
-- Returns  {"kept"} | {"lost"}

if redis.call("HGET", KEYS[1], "lease") ~= ARGV[2] then
  return { "lost" }
end
local ends = string.format("%.0f", now_ms() + tonumber(ARGV[3]))
redis.call("HSET", KEYS[1], "leased_until", ends)
redis.call("ZADD", KEYS[2], ends, ARGV[1])
redis.call("ZADD", KEYS[3], ends, ARGV[1])
redis.call("PEXPIRE", KEYS[3], ARGV[3])
return { "kept" }
