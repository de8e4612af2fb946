-- hold: put one handoff where the brakes put it, so that its card tells: an open one on hold or waiting again; one that
-- is decided and not acted on yet marked as stopped, or not any more.
--
-- KEYS[1]  {ns}:handoff:<id>           hash
-- KEYS[2]  {ns}:due                    zset
-- KEYS[3]  {ns}:events                 stream
-- KEYS[4]  {ns}:agent:<agent>:events   stream
-- KEYS[5]  {ns}:brakes                 hash
-- KEYS[6]  {ns}:run:<id>               hash
-- KEYS[7]  {ns}:acting                 zset
-- ARGV[1]  handoff id
-- ARGV[2]  the steer that was heard, JSON, or ""
-- Returns  {<state>, <action of the brake or "">, <changed: 1 or 0>} | {"gone"}

local h = redis.call("HMGET", KEYS[1], "state", "agent", "run", "rev", "brake")
if not h[1] then
  redis.call("ZREM", KEYS[2], ARGV[1])
  redis.call("ZREM", KEYS[7], ARGV[1])
  return { "gone" }
end
local now = now_ms()
if ARGV[2] ~= "" then
  redis.call("HSET", KEYS[1], "heard", string.format("%.0f", now) .. " " .. ARGV[2])
end
local action, record = brake_on(KEYS[5], KEYS[6], h[3], h[2])
if h[1] == "pending" or h[1] == "held" then
  local state = by_brake(KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], now, ARGV[1])
  return { state, action or "", (state ~= h[1] or redis.call("HGET", KEYS[1], "brake") ~= h[5]) and 1 or 0 }
end
if h[1] == "closed" then
  redis.call("ZREM", KEYS[7], ARGV[1])
end
if h[1] ~= "decided" or (record or false) == h[5] then
  return { h[1], action or "", 0 }
end
if record then
  redis.call("HSET", KEYS[1], "brake", record)
else
  redis.call("HDEL", KEYS[1], "brake")
end
tell(KEYS[3], nil, now, record and "stopped" or "freed", ARGV[1], h[2], h[3], h[4], "")
return { h[1], action or "", 1 }
