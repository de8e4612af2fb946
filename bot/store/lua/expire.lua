-- expire: write the decision that silence makes, once the time is up.
--
-- KEYS[1]  {ns}:handoff:<id>           hash
-- KEYS[2]  {ns}:due                    zset
-- KEYS[3]  {ns}:events                 stream
-- KEYS[4]  {ns}:agent:<agent>:events   stream
-- KEYS[5]  {ns}:agent:<agent>:load     hash
-- KEYS[6]  {ns}:trust:<id>             hash
-- KEYS[7]  {ns}:trust                  zset
-- KEYS[8]  {ns}:brakes                 hash
-- KEYS[9]  {ns}:run:<id>               hash    its run
-- KEYS[10] {ns}:acting                 zset
-- KEYS[11] {ns}:undelivered            zset    id -> by when its agent should have the decision, Unix ms
-- ARGV[1]  handoff id
-- ARGV[2]  revision that the decision is about
-- ARGV[3]  decision, JSON without its time
-- ARGV[4]  its kind
-- ARGV[5]  digest that it allows, or ""
-- ARGV[6]  canonical JSON with that digest, or "" when it is the ask's own
-- ARGV[7]  retention after the decision, ms
-- ARGV[8]  run id
-- ARGV[9]  agent
-- ARGV[10…] only of an approval, what it was judged by: votes, questions to the agent, people handed on to, crowd,
--          gathered, since when it is shown (Unix ms), unread, stops; "" for none
-- Returns  {"won", <decided ms>} | {"lost"} | {"early"} | {"stale", <revision>} (or judged by what is not so any more)
--          | {"held"} | {"gone"}

if is_held(KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[8], KEYS[9], ARGV[1]) then
  return { "held" }
end
local h = redis.call("HMGET", KEYS[1], "state", "rev", "due_at", "timing")
if not h[1] then
  redis.call("ZREM", KEYS[2], ARGV[1])
  return { "gone" }
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
if ARGV[4] ~= "expired" and brake_on(KEYS[8], KEYS[9], ARGV[8], ARGV[9]) then
  redis.call("HINCRBY", KEYS[1], "stops", 1)  -- due before the stop; silence means no yes any more
  return { "stale", h[2] }
end
if ARGV[4] ~= "expired" then
  local f = redis.call("HMGET", KEYS[1], "vote_n", "n:questioned", "n:reassigned", "crowd", "gathered", "shown_at", "unread", "stops")
  for i = 1, 8 do
    if (f[i] or "") ~= ARGV[9 + i] then
      return { "stale", h[2] }
    end
  end
end
settle(ARGV[1], now, ARGV[4], ARGV[3], ARGV[5], ARGV[6], "", ARGV[7])
expect_delivery(KEYS[11], now, ARGV[1], ARGV[4], h[4], ARGV[7])
if ARGV[5] ~= "" then
  may_act(KEYS[10], now, ARGV[1], ARGV[7])
end
return { "won", now }
