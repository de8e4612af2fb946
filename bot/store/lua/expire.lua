-- expire: write the decision that silence makes, once the time is up.
--
-- KEYS[1]  {ns}:handoff:<id>           hash
-- KEYS[2]  {ns}:due                    zset
-- KEYS[3]  {ns}:events                 stream
-- KEYS[4]  {ns}:agent:<agent>:events   stream
-- KEYS[5]  {ns}:agent:<agent>:load     hash
-- KEYS[6]  {ns}:trust:<id>             hash
-- KEYS[7]  {ns}:trust                  zset
-- ARGV[1]  handoff id
-- ARGV[2]  revision that the decision is about
-- ARGV[3]  decision, JSON without its time
-- ARGV[4]  its kind
-- ARGV[5]  digest that it allows, or ""
-- ARGV[6]  canonical JSON with that digest, or "" when it is the ask's own
-- ARGV[7]  retention after the decision, ms
-- ARGV[8…] only of an approval, what it was judged by: votes, questions to the agent, people handed on to, crowd,
--          gathered, since when it is shown (Unix ms), unread; "" for none
-- Returns  {"won", <decided ms>} | {"lost"} | {"early"} | {"stale", <revision>} (or judged by what is not so any more)
--          | {"held"} | {"gone"}

local h = redis.call("HMGET", KEYS[1], "state", "rev", "due_at")
if not h[1] then
  redis.call("ZREM", KEYS[2], ARGV[1])
  return { "gone" }
end
if h[1] == "held" then
  return { "held" }
end
if h[1] ~= "pending" then
  redis.call("ZREM", KEYS[2], ARGV[1])
  return { "lost" }
end
local now = now_ms()
if now < tonumber(h[3]) then
  return { "early" }
end
if h[2] ~= ARGV[2] then
  return { "stale", h[2] }
end
if ARGV[4] ~= "expired" then
  local f = redis.call("HMGET", KEYS[1], "vote_n", "n:questioned", "n:reassigned", "crowd", "gathered", "shown_at", "unread")
  for i = 1, 7 do
    if (f[i] or "") ~= ARGV[7 + i] then
      return { "stale", h[2] }
    end
  end
end
settle(ARGV[1], now, ARGV[4], ARGV[3], ARGV[5], ARGV[6], "", ARGV[7])
return { "won", now }
