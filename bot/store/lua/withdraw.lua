-- withdraw: end an open handoff without a person: the agent takes it back, or no place can show it.
--
-- KEYS[1]  {ns}:handoff:<id>           hash
-- KEYS[2]  {ns}:due                    zset
-- KEYS[3]  {ns}:events                 stream
-- KEYS[4]  {ns}:agent:<agent>:events   stream
-- KEYS[5]  {ns}:agent:<agent>:load     hash
-- KEYS[6]  {ns}:trust:<id>             hash
-- KEYS[7]  {ns}:trust                  zset
-- KEYS[8]  {ns}:undelivered            zset    id -> by when its agent should have the decision, Unix ms
-- ARGV[1]  handoff id
-- ARGV[2]  agent
-- ARGV[3]  decision, JSON without its time
-- ARGV[4]  its kind, "withdrawn", "undeliverable" or "aborted"
-- ARGV[5]  retention after the decision, ms
-- Returns  {"won", <decided ms>} | {"won", <decided ms>, "again"} | {"lost"} | {"gone"}

local h = redis.call("HMGET", KEYS[1], "state", "agent", "kind", "decided_at")
if not h[1] or h[2] ~= ARGV[2] then
  return { "gone" }
end
if h[1] ~= "pending" and h[1] ~= "held" then
  if h[3] == ARGV[4] then
    return { "won", h[4], "again" }
  end
  return { "lost" }
end
local now = now_ms()
settle(ARGV[1], now, ARGV[4], ARGV[3], "", "", "", ARGV[5])
expect_delivery(KEYS[8], now, ARGV[1], ARGV[4], "", ARGV[5])
return { "won", now }
