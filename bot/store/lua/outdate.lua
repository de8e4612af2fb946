-- outdate: what may be acted on, and was not when a backup was made, may not be acted on any more: perhaps it was meanwhile.
--
-- KEYS[1]  {ns}:handoff:<id>  hash  outdated
-- Returns  {"outdated"} | {"other", <state>} | {"gone"}

local state = redis.call("HGET", KEYS[1], "state")
if not state then
  return { "gone" }
end
if state ~= "decided" or redis.call("HGET", KEYS[1], "allowed") == "" then
  return { "other", state }
end
redis.call("HSET", KEYS[1], "outdated", "1")
return { "outdated" }
