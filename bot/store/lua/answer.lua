-- answer: write the first decision on a pending handoff; every later one loses.
--
-- KEYS[1]  {ns}:handoff:<id>           hash
-- KEYS[2]  {ns}:due                    zset
-- KEYS[3]  {ns}:events                 stream
-- KEYS[4]  {ns}:agent:<agent>:events   stream
-- KEYS[5]  {ns}:agent:<agent>:load     hash
-- KEYS[6]  {ns}:trust:<id>             hash
-- KEYS[7]  {ns}:trust                  zset
-- KEYS[8]  {ns}:agent:<agent>:grants   hash
-- KEYS[9]  {ns}:grants               zset    agent -> when its last grant ends
-- KEYS[10] {ns}:notices              stream
-- KEYS[11] {ns}:brakes                 hash
-- KEYS[12] {ns}:run:<id>               hash    its run
-- KEYS[13] {ns}:acting                 zset
-- KEYS[14] {ns}:undelivered            zset    id -> by when its agent should have the decision, Unix ms
-- ARGV[1]  handoff id
-- ARGV[2]  answer id: the same one again gets the same reply
-- ARGV[3]  revision that was read
-- ARGV[4]  decision, JSON without its time
-- ARGV[5]  its kind
-- ARGV[6]  digest that it allows, or ""
-- ARGV[7]  canonical JSON with that digest, or "" when it is the ask's own
-- ARGV[8]  revision after it (one more when it edits)
-- ARGV[9]  digest of that revision, or "" when unchanged
-- ARGV[10] all revisions, JSON, or "" when unchanged
-- ARGV[11] retention after the decision, ms
-- ARGV[12] so many votes were read; more have come since: count again
-- ARGV[13] id of the grant that a yes gives, or ""
-- ARGV[14] that grant, JSON
-- ARGV[15] what people call it
-- ARGV[16] how long it stands, ms
-- ARGV[17] agent
-- ARGV[18] how risky that revision is, JSON, or ""
-- Returns  {"won", <decided ms>} | {"won", <decided ms>, "again"} | {"moved"} | {"lost"} | {"stale", <revision>} | {"held"} | {"late"} | {"gone"}

if is_held(KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[11], KEYS[12], ARGV[1]) then
  return { "held" }
end
local h = redis.call("HMGET", KEYS[1], "state", "rev", "due_at", "answer_id", "decided_at", "vote_n", "timing")
if not h[1] then
  return { "gone" }
end
if h[1] ~= "pending" then
  if h[4] == ARGV[2] then
    return { "won", h[5], "again" }
  end
  return { "lost" }
end
local now = now_ms()
if now >= tonumber(h[3]) then
  return { "late" }
end
if h[2] ~= ARGV[3] then
  return { "stale", h[2] }
end
if (h[6] or "0") ~= ARGV[12] then
  return { "moved" }
end
if ARGV[9] ~= "" then
  redis.call("HDEL", KEYS[1], "votes", "vote_n")
  redis.call("HSET", KEYS[1], "rev", ARGV[8], "digest", ARGV[9], "revisions", ARGV[10])
  if ARGV[18] ~= "" then
    redis.call("HSET", KEYS[1], "risk", ARGV[18])
  end
end
if ARGV[13] ~= "" then
  give_grant(KEYS[8], KEYS[9], KEYS[10], KEYS[3], now, ARGV[17], ARGV[13], ARGV[14], ARGV[15], tonumber(ARGV[16]))
  redis.call("HSET", KEYS[1], "gave_grant", ARGV[13])
end
local near = redis.call("HGET", KEYS[1], "near_grant")
if near and ARGV[5] == "rejected" then
  end_grant(KEYS[8], KEYS[10], KEYS[3], now, ARGV[17], near, "rejected", "somebody rejected what it covers.")
end
settle(ARGV[1], now, ARGV[5], ARGV[4], ARGV[6], ARGV[7], ARGV[2], ARGV[11])
expect_delivery(KEYS[14], now, ARGV[1], ARGV[5], h[7], ARGV[11])
if ARGV[6] ~= "" then
  may_act(KEYS[13], now, ARGV[1], ARGV[11])
end
return { "won", now }
