-- doubt: note on a pending handoff of which groups nobody can tell who is in them, so that its card says so.
--
-- KEYS[1]  {ns}:handoff:<id>   hash
-- KEYS[2]  {ns}:events         stream
-- ARGV[1]  handoff id
-- ARGV[2]  the groups, for people to read; "" when all can be told
-- Returns  {"noted"} | {"same"}

local h = redis.call("HMGET", KEYS[1], "state", "agent", "run", "rev", "unread")
if h[1] ~= "pending" or (h[5] or "") == ARGV[2] then
  return { "same" }
end
if ARGV[2] == "" then
  redis.call("HDEL", KEYS[1], "unread")
else
  redis.call("HSET", KEYS[1], "unread", ARGV[2])
end
tell(KEYS[2], nil, now_ms(), "doubted", ARGV[1], h[2], h[3], h[4], "")
return { "noted" }
