-- vote: keep one person's yes or no on a pending handoff that it does not decide.
--
-- KEYS[1]  {ns}:handoff:<id>           hash
-- KEYS[2]  {ns}:events                 stream
-- KEYS[3]  {ns}:due                    zset
-- KEYS[4]  {ns}:agent:<agent>:events   stream
-- KEYS[5]  {ns}:brakes                 hash
-- KEYS[6]  {ns}:run:<id>               hash    its run
-- ARGV[1]  handoff id
-- ARGV[2]  hash of the answer id: the same one again gets the same reply
-- ARGV[3]  revision that was read
-- ARGV[4]  so many votes were read; more have come since: count again
-- ARGV[5]  the vote, JSON without its time
-- Returns  {"won", <voted ms>} | {"won", <decided or now ms>, "again"} | {"moved"} | {"lost"} | {"stale", <revision>}
--          | {"held"} | {"late"} | {"gone"}

local held = is_held(KEYS[1], KEYS[3], KEYS[2], KEYS[4], KEYS[5], KEYS[6], ARGV[1])
local h = redis.call("HMGET", KEYS[1], "state", "rev", "due_at", "vote_n", "votes", "agent", "run")
if not h[1] then
  return { "gone" }
end
if h[5] and string.find(h[5], "\n" .. ARGV[2] .. " ", 1, true) then
  return { "won", now_ms(), "again" }
end
if held then
  return { "held" }
end
if h[1] ~= "pending" then
  return { "lost" }
end
local now = now_ms()
if now >= tonumber(h[3]) then
  return { "late" }
end
if h[2] ~= ARGV[3] then
  return { "stale", h[2] }
end
if (h[4] or "0") ~= ARGV[4] then
  return { "moved" }
end
local number = string.format("%.0f", tonumber(ARGV[4]) + 1)
local votes = (h[5] or "") .. vote_line(ARGV[2], now, ARGV[5])
redis.call("HSET", KEYS[1], "votes", votes, "vote_n", number)
tell(KEYS[2], nil, now, "voted", ARGV[1], h[6], h[7], h[2], number)
return { "won", now }
