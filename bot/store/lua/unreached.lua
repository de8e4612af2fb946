-- unreached: note that the agent has not got the decision, and why; since when stays as it was noted first.
--
-- KEYS[1]  {ns}:handoff:<id>   hash    missed: "<ms> <again or -> <why>"
-- KEYS[2]  {ns}:events         stream
-- KEYS[3]  {ns}:undelivered    zset
-- KEYS[4]  {ns}:brakes         hash
-- KEYS[5]  {ns}:run:<id>       hash    its run
-- ARGV[1]  handoff id
-- ARGV[2]  why, in words
-- ARGV[3]  "again" when it can be sent again: the agent has an endpoint; else "-"
-- ARGV[4]  "due" when only because its time is up
-- Returns  {"marked", <since ms>} | {"known"} | {"delivered"} | {"early"} | {"stopped"} (its run is; looked at again later)
--          | {"open"} (nobody has decided yet) | {"over"} (claimed, closed, or nobody waits for it) | {"gone"}

local h = redis.call("HMGET", KEYS[1], "state", "agent", "run", "rev", "received", "missed", "kind", "at_once",
  "decided_at")
local due = redis.call("ZSCORE", KEYS[3], ARGV[1])
if not h[1] or h[1] == "pending" or h[1] == "held" then
  redis.call("ZREM", KEYS[3], ARGV[1])
  if h[1] then
    return { "open" }
  end
  return { "gone" }
end
-- Decided as it was opened: the reply carried it.
if h[1] ~= "decided" or h[7] == "withdrawn" or h[7] == "aborted" or h[8] or (ARGV[4] == "due" and not due) then
  redis.call("ZREM", KEYS[3], ARGV[1])
  return { "over" }
end
if h[5] then
  redis.call("ZREM", KEYS[3], ARGV[1])
  return { "delivered" }
end
local now, since = now_ms(), h[9]
if ARGV[4] == "due" then
  if now < tonumber(due) then
    return { "early" }
  end
  local action = brake_on(KEYS[4], KEYS[5], h[3], h[2])
  if action == "abort" then
    redis.call("ZREM", KEYS[3], ARGV[1])
    return { "over" }
  end
  if action then  -- an agent that was told to stop need not ask
    redis.call("ZADD", KEYS[3], now + DELIVERED_WITHIN_MS, ARGV[1])
    return { "stopped" }
  end
  since = string.format("%.0f", tonumber(due) - DELIVERED_WITHIN_MS)
end
redis.call("ZREM", KEYS[3], ARGV[1])
since = h[6] and string.match(h[6], "^%d+") or since
local missed = since .. " " .. ARGV[3] .. " " .. ARGV[2]
if h[6] == missed then
  return { "known" }
end
redis.call("HSET", KEYS[1], "missed", missed)
tell(KEYS[2], nil, now, "unreached", ARGV[1], h[2], h[3], h[4], "")
return { "marked", since }
