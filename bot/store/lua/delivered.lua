-- delivered: note that the agent has the decision, once, while it has neither acted on it nor told what came of it.
--
-- KEYS[1]  {ns}:handoff:<id>   hash    received: "<ms> <how>"; missed goes
-- KEYS[2]  {ns}:events         stream
-- KEYS[3]  {ns}:undelivered    zset
-- ARGV[1]  handoff id
-- ARGV[2]  how: poll, stream or callback
-- Returns  {"marked", <now ms>} | {"known"} | {"open"} (nobody has decided yet) | {"over"} (claimed or closed) | {"gone"}

local h = redis.call("HMGET", KEYS[1], "state", "agent", "run", "rev", "received")
if h[1] == "pending" or h[1] == "held" then
  return { "open" }
end
redis.call("ZREM", KEYS[3], ARGV[1])
if not h[1] then
  return { "gone" }
end
if h[1] ~= "decided" then
  return { "over" }
end
if h[5] then
  return { "known" }
end
local now = now_ms()
redis.call("HSET", KEYS[1], "received", string.format("%.0f", now) .. " " .. ARGV[2])
redis.call("HDEL", KEYS[1], "missed")
tell(KEYS[2], nil, now, "delivered", ARGV[1], h[2], h[3], h[4], ARGV[2])
return { "marked", now }
