-- outcome: record what came of it, once, and close the handoff.
--
-- KEYS[1]  {ns}:handoff:<id>           hash
-- KEYS[2]  {ns}:events                 stream
-- KEYS[3]  {ns}:agent:<agent>:events   stream
-- KEYS[4]  {ns}:run:<id>               hash    its run
-- KEYS[5]  {ns}:trust:<id>             hash    what its ramp has earned
-- KEYS[6]  {ns}:trust                  zset    all ramps
-- KEYS[7]  {ns}:handoff:<id>           hash    the one that shows what came of it for review
-- KEYS[8]  {ns}:due                    zset
-- KEYS[9]  {ns}:agent:<agent>:load     hash
-- KEYS[10] {ns}:index                  zset
-- KEYS[11] {ns}:ladder                 zset    id -> when the first step of its ladder is due, Unix ms
-- KEYS[12] {ns}:agent:<agent>:grants   hash
-- KEYS[13] {ns}:notices                stream
-- KEYS[14] {ns}:run:<id>               hash    the run that it comes from, or itself: failures count there
-- KEYS[15] {ns}:agent:<agent>:asks     zset    id -> asked, Unix ms; kept as long as a burst is counted
-- KEYS[16] {ns}:unreported             zset
-- KEYS[17] {ns}:acting                 zset
-- KEYS[18] {ns}:brakes                 hash
-- KEYS[19] {ns}:run:<id>:asks          zset    id -> opened, Unix ms
-- KEYS[20] {ns}:undelivered            zset
-- KEYS[21] {ns}:unknown                zset    id -> when it is looked at again, Unix ms
-- KEYS[22] {ns}:leases                 zset
-- ARGV[1]  handoff id
-- ARGV[2]  agent
-- ARGV[3]  status: executed, failed, undone, undo_failed
-- ARGV[4]  claimant, or "" when there was no claim
-- ARGV[5]  outcome, JSON without its time
-- ARGV[6]  retention, ms
-- ARGV[7]  "bad" when this failure counts against its run; else ""
-- ARGV[8]  id of the review to open in the same step unless it is open already, or ""
-- ARGV[9]  digest of the review
-- ARGV[10] its ask and its route, compressed
-- ARGV[11] its time to answer, ms
-- ARGV[12] its ladder, as `climb` has it, or "" for none
-- ARGV[13] open asks of one agent after which its cards are gathered, reviews among them; 0: never
-- ARGV[14] asks of one agent within ARGV[15] after which they are; 0: never
-- ARGV[15] how long a burst is counted, ms
-- Returns  {"recorded", <closed ms>} | {"recorded", <closed ms>, "open" or "burst", <how many>} | {"other", <outcome>} | {"claimant", <claimant>} | {"refused", <state>} | {"gone"}

local h = redis.call("HMGET", KEYS[1], "state", "agent", "timing", "kind", "claimant", "outcome", "closed_at", "run", "rev",
  "ramp", "decision", "question", "ruled", "settles")
if not h[1] or h[2] ~= ARGV[2] then
  return { "gone" }
end
if h[1] == "closed" then
  if h[6] == ARGV[5] then
    return { "recorded", h[7] }
  end
  if h[13] and h[5] == ARGV[4] and redis.call("HSETNX", KEYS[1], "late", string.format("%.0f", now_ms()) .. " " .. ARGV[5]) == 1 then
    tell(KEYS[2], nil, now_ms(), "late", ARGV[1], ARGV[2], h[8], h[9], ARGV[3])  -- a person was first; both facts are kept
  end
  return { "other", h[6] }
end
local after = h[3] == "after"
local acted = ARGV[3] == "executed" or ARGV[3] == "failed"
local no = h[4] == "rejected" or h[4] == "expired" or h[4] == "withdrawn" or h[4] == "undeliverable"
local fits = (acted and h[1] == "claimed")
  or (acted and after and h[1] == "decided" and not no)
  or (not acted and after and h[1] == "decided" and no)
if not fits or h[14] then
  return { "refused", h[1] }
end
if h[1] == "claimed" and h[5] ~= ARGV[4] then
  return { "claimant", h[5] }
end
local now = now_ms()
if ARGV[3] ~= "executed" then
  -- The grant that decided it, the one that covers it and was not enough, and the one that its own yes gave.
  for _, grant in ipairs({ "uses_grant", "near_grant", "gave_grant" }) do
    local id = redis.call("HGET", KEYS[1], grant)
    if id then
      end_grant(KEYS[12], KEYS[13], KEYS[2], now, ARGV[2], id, ARGV[3], "what it covers ended badly (" .. ARGV[3] .. ").")
    end
  end
end
redis.call("HSET", KEYS[1], "state", "closed", "outcome", ARGV[5], "closed_at", string.format("%.0f", now))
redis.call("PEXPIRE", KEYS[1], ARGV[6])
if ARGV[7] == "bad" then
  fault(KEYS[14], KEYS[4], 30 * 24 * 3600 * 1000)
end
local word, count = nil, nil
local effect, reviewed = "", ARGV[8] ~= "" or redis.call("HEXISTS", KEYS[1], "review") == 1
if ARGV[8] ~= "" and acted and redis.call("HEXISTS", KEYS[1], "review") == 0 then
  open_review(KEYS[1], KEYS[7], KEYS[8], KEYS[2], KEYS[9], KEYS[10], KEYS[11], now, ARGV[1], ARGV[2], h[8], h[10],
    { ARGV[8], ARGV[9], ARGV[10], ARGV[11], ARGV[12] }, ARGV[6], ARGV[3] == "failed" and "1" or "")
  is_held(KEYS[7], KEYS[8], KEYS[2], KEYS[3], KEYS[18], KEYS[4], ARGV[8])
  list_ask(KEYS[19], KEYS[4], now, ARGV[8])
  word, count = crowd(KEYS[9], KEYS[15], now, ARGV[8], tonumber(ARGV[13]), tonumber(ARGV[14]), ARGV[15])
  if word then
    redis.call("HSET", KEYS[7], "crowd", word)
  end
end
redis.call("ZREM", KEYS[16], ARGV[1])
redis.call("ZREM", KEYS[17], ARGV[1])
if h[1] == "decided" then  -- a claim took it out
  redis.call("ZREM", KEYS[20], ARGV[1])
end
redis.call("ZREM", KEYS[22], ARGV[1])
if h[12] then
  redis.call("ZADD", KEYS[21], now, ARGV[1])  -- nobody needs to answer that any more
  redis.call("PEXPIRE", KEYS[21], ARGV[6])
end
if ARGV[3] ~= "executed" then
  effect = "bad"
elseif not reviewed and h[10] and h[10] ~= "" and h[4] == "approved" and not after then
  -- Silence earns no trust, and neither does a grant: nobody looked.
  local by = cjson.decode(h[11]).by.kind
  effect = (by == "silence" or by == "grant") and "" or "good"
end
trust(KEYS[1], KEYS[5], KEYS[6], KEYS[2], KEYS[3], now, h[10], effect, ARGV[3], ARGV[1], ARGV[2], h[8])
tell(KEYS[2], KEYS[3], now, "closed", ARGV[1], ARGV[2], h[8], h[9], ARGV[3])
if word then
  return { "recorded", now, word, count }
end
return { "recorded", now }
