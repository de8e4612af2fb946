-- outdate: what may be acted on, and was not when a backup was made, may not be acted on any more: perhaps it was meanwhile.
--
-- KEYS[1]  {ns}:handoff:<id>  hash  outdated
-- Returns  {"outdated"} | {"other", <state>} | {"gone"}

local h = redis.call("HMGET", KEYS[1], "state", "allowed")
if not h[1] then
  return { "gone" }
end
if h[1] ~= "decided" or h[2] == "" then
  return { "other", h[1] }
end
redis.call("HSET", KEYS[1], "outdated", "1")
return { "outdated" }
