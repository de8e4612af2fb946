-- steer: leave a person's words for a run, once; its agent hears at once, or at its next checkpoint.
--
-- KEYS[1]  {ns}:run:<id>              hash
-- KEYS[2]  {ns}:run:<id>:steers       list    what people told it since its last checkpoint; the newest 20
-- KEYS[3]  {ns}:events                stream
-- KEYS[4]  {ns}:agent:<agent>:events  stream
-- KEYS[5]  {ns}:run:<id>:steer:<key>  string  this steer was told; 24 h
-- ARGV[1]  run id
-- ARGV[2]  agent
-- ARGV[3]  steer id
-- ARGV[4]  the steer, JSON without its time
-- ARGV[5]  a run's life after its last sign of life, ms
-- Returns  {"told"} | {"gone"}

if redis.call("HGET", KEYS[1], "agent") ~= ARGV[2] then
  return { "gone" }
end
if not redis.call("SET", KEYS[5], "1", "NX", "PX", 24 * 3600 * 1000) then
  return { "told" }
end
local now = now_ms()
redis.call("PEXPIRE", KEYS[1], ARGV[5])
redis.call("RPUSH", KEYS[2], string.format("%.0f", now) .. " " .. ARGV[4])
redis.call("LTRIM", KEYS[2], -20, -1)
redis.call("PEXPIRE", KEYS[2], ARGV[5])
tell(KEYS[3], KEYS[4], now, "steered", "", ARGV[2], ARGV[1], "0", ARGV[3])
return { "told" }
