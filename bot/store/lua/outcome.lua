-- outcome: record what came of it, once, and close the handoff.
--
-- KEYS[1]  {ns}:handoff:<id>           hash
-- KEYS[2]  {ns}:events                 stream
-- KEYS[3]  {ns}:agent:<agent>:events   stream
-- ARGV[1]  handoff id
-- ARGV[2]  agent
-- ARGV[3]  status: executed, failed, undone, undo_failed
-- ARGV[4]  claimant, or "" when there was no claim
-- ARGV[5]  outcome, JSON without its time
-- ARGV[6]  retention, ms
-- Returns  {"recorded", <closed ms>} | {"other", <outcome>} | {"claimant", <claimant>} | {"refused", <state>} | {"gone"}

local h = redis.call("HMGET", KEYS[1], "state", "agent", "timing", "kind", "claimant", "outcome", "closed_at", "run", "rev")
if not h[1] or h[2] ~= ARGV[2] then
  return { "gone" }
end
if h[1] == "closed" then
  if h[6] == ARGV[5] then
    return { "recorded", h[7] }
  end
  return { "other", h[6] }
end
local after = h[3] == "after"
local acted = ARGV[3] == "executed" or ARGV[3] == "failed"
local no = h[4] == "rejected" or h[4] == "expired" or h[4] == "withdrawn" or h[4] == "undeliverable"
local fits = (acted and h[1] == "claimed")
  or (acted and after and h[1] == "decided" and not no)
  or (not acted and after and h[1] == "decided" and no)
if not fits then
  return { "refused", h[1] }
end
if h[1] == "claimed" and h[5] ~= ARGV[4] then
  return { "claimant", h[5] }
end
local now = now_ms()
redis.call("HSET", KEYS[1], "state", "closed", "outcome", ARGV[5], "closed_at", string.format("%.0f", now))
redis.call("PEXPIRE", KEYS[1], ARGV[6])
tell(KEYS[2], KEYS[3], now, "closed", ARGV[1], ARGV[2], h[8], h[9], ARGV[3])
return { "recorded", now }
