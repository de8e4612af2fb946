-- steer: leave a person's words for a run, once; its agent hears at once, or at its next checkpoint.
--
-- KEYS[1]  {ns}:run:<id>              hash
-- KEYS[2]  {ns}:run:<id>:steers       list    what people told it since its last checkpoint; the newest 20
-- KEYS[3]  {ns}:events                stream
-- KEYS[4]  {ns}:agent:<agent>:events  stream
-- ARGV[1]  run id
-- ARGV[2]  agent
-- ARGV[3]  steer id: the same one as the last is told once
-- ARGV[4]  the steer, JSON without its time
-- ARGV[5]  a run's life after its last sign of life, ms
-- Returns  {"told"} | {"gone"}

local h = redis.call("HMGET", KEYS[1], "agent", "steered")
if h[1] ~= ARGV[2] then
  return { "gone" }
end
if h[2] == ARGV[3] then
  return { "told" }
end
local now = now_ms()
redis.call("HSET", KEYS[1], "steered", ARGV[3])
redis.call("PEXPIRE", KEYS[1], ARGV[5])
redis.call("RPUSH", KEYS[2], string.format("%.0f", now) .. " " .. ARGV[4])
redis.call("LTRIM", KEYS[2], -20, -1)
redis.call("PEXPIRE", KEYS[2], ARGV[5])
tell(KEYS[3], KEYS[4], now, "steered", "", ARGV[2], ARGV[1], "0", ARGV[3])
return { "told" }
