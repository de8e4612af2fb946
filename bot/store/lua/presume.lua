-- presume: open the review of what was claimed and never reported, once.
--
-- KEYS[1]  {ns}:handoff:<id>           hash
-- KEYS[2]  {ns}:events                 stream
-- KEYS[3]  {ns}:agent:<agent>:events   stream
-- KEYS[4]  {ns}:trust:<id>             hash    what its ramp has earned
-- KEYS[5]  {ns}:trust                  zset    all ramps
-- KEYS[6]  {ns}:handoff:<id>           hash    the one that shows it for review
-- KEYS[7]  {ns}:due                    zset
-- KEYS[8]  {ns}:agent:<agent>:load     hash
-- KEYS[9]  {ns}:index                  zset
-- KEYS[10] {ns}:ladder                 zset    id -> when the first step of its ladder is due, Unix ms
-- KEYS[11] {ns}:unreported             zset    id -> when its outcome is overdue, Unix ms
-- KEYS[12] {ns}:agent:<agent>:asks     zset    id -> asked, Unix ms; kept as long as a burst is counted
-- KEYS[13] {ns}:brakes                 hash
-- KEYS[14] {ns}:run:<id>               hash    its run
-- KEYS[15] {ns}:run:<id>:asks          zset    id -> opened, Unix ms
-- ARGV[1]  handoff id
-- ARGV[2]  id of the review
-- ARGV[3]  digest of the review
-- ARGV[4]  its ask and its route, compressed
-- ARGV[5]  its time to answer, ms
-- ARGV[6]  its ladder, as `climb` has it, or "" for none
-- ARGV[7]  retention, ms
-- ARGV[8]  open asks of one agent after which its cards are gathered; 0: never
-- ARGV[9]  asks of one agent within ARGV[10] after which they are; 0: never
-- ARGV[10] how long a burst is counted, ms
-- Returns  {"opened"} | {"early"} | {"over"} (it was reported, or reviewed, or is gone)

local h = redis.call("HMGET", KEYS[1], "state", "agent", "run", "ramp", "review")
if h[1] ~= "claimed" or h[5] then
  redis.call("ZREM", KEYS[11], ARGV[1])
  return { "over" }
end
local now = now_ms()
local due = redis.call("ZSCORE", KEYS[11], ARGV[1])
if due and now < tonumber(due) then
  return { "early" }
end
open_review(KEYS[1], KEYS[6], KEYS[7], KEYS[2], KEYS[8], KEYS[9], KEYS[10], now, ARGV[1], h[2], h[3], h[4],
  { ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6] }, ARGV[7], "1")
is_held(KEYS[6], KEYS[7], KEYS[2], KEYS[3], KEYS[13], KEYS[14], ARGV[2])
list_ask(KEYS[15], KEYS[14], now, ARGV[2])
local word = crowd(KEYS[8], KEYS[12], now, ARGV[2], tonumber(ARGV[8]), tonumber(ARGV[9]), ARGV[10])
if word then
  redis.call("HSET", KEYS[6], "crowd", word)
end
trust(KEYS[1], KEYS[4], KEYS[5], KEYS[2], KEYS[3], now, h[4], "bad", "unreported", ARGV[1], h[2], h[3])
redis.call("ZREM", KEYS[11], ARGV[1])
return { "opened" }
