-- question: note that nobody knows what became of an action that was claimed, and for which nobody vouches any more, and ask
-- people; once. It counts as a failure does: in its run, in its trust ramp, and against the grants that cover it.
--
-- KEYS[1]  {ns}:handoff:<id>           hash    unknown_at: since when, Unix ms; question: the one that asks
-- KEYS[2]  {ns}:events                 stream
-- KEYS[3]  {ns}:agent:<agent>:events   stream
-- KEYS[4]  {ns}:run:<id>               hash    its run, as `beat` has it
-- KEYS[5]  {ns}:run:<id>               hash    the run that it comes from, or itself: failures count there
-- KEYS[6]  {ns}:handoff:<id>           hash    the question; settles: what it is about
-- KEYS[7]  {ns}:due                    zset
-- KEYS[8]  {ns}:agent:<agent>:load     hash
-- KEYS[9]  {ns}:index                  zset
-- KEYS[10] {ns}:ladder                 zset
-- KEYS[11] {ns}:run:<id>:asks          zset
-- KEYS[12] {ns}:brakes                 hash
-- KEYS[13] {ns}:trust:<id>             hash
-- KEYS[14] {ns}:trust                  zset
-- KEYS[15] {ns}:agent:<agent>:grants   hash
-- KEYS[16] {ns}:notices                stream
-- KEYS[17] {ns}:unreported             zset
-- KEYS[18] {ns}:unknown                zset    id -> when it is looked at again, Unix ms
-- KEYS[19] {ns}:leases                 zset    id -> when nobody has vouched for it for too long, Unix ms
-- KEYS[20] {ns}:beats:watch            hash
-- ARGV[1]  handoff id
-- ARGV[2]  id of the question
-- ARGV[3]  its digest
-- ARGV[4]  its ask and its route, compressed
-- ARGV[5]  its time to answer, ms
-- ARGV[6]  its ladder, as `climb` has it, or "" for none
-- ARGV[7]  retention, ms
-- ARGV[8]  it is looked at again after so long, ms
-- ARGV[9]  who is asked, for people to read
-- ARGV[10] when its lease was due, as the caller read it: what vouched for it since has moved that
-- ARGV[11] a gap, as `watch` has it, ms
-- Returns  {"asked"} | {"over"} (it was reported, or asked about, or is gone) | {"early"}

local h = redis.call("HMGET", KEYS[1], "state", "agent", "run", "rev", "claimed_at", "question", "ramp")
local due = tonumber(redis.call("ZSCORE", KEYS[19], ARGV[1]))
if h[1] ~= "claimed" or h[6] or not due then
  redis.call("ZREM", KEYS[19], ARGV[1])
  return { "over" }
end
local now, patience = now_ms(), tonumber(redis.call("HGET", KEYS[4], "patience")) or 0
if due ~= tonumber(ARGV[10]) or now < due then
  return { "early" }
end
local fair = watched_since(KEYS[20], now, tonumber(ARGV[11])) + patience
if now < fair then
  redis.call("ZADD", KEYS[19], fair, ARGV[1])
  return { "early" }
end
redis.call("ZREM", KEYS[19], ARGV[1])
redis.call("HSET", KEYS[1], "unknown_at", string.format("%.0f", math.max(tonumber(h[5]), due - patience)),
  "question", ARGV[2], "asked", ARGV[9])
tell(KEYS[2], KEYS[3], now, "unknown", ARGV[1], h[2], h[3], h[4], "")
for _, grant in ipairs({ "uses_grant", "near_grant", "gave_grant" }) do
  local id = redis.call("HGET", KEYS[1], grant)
  if id then
    end_grant(KEYS[15], KEYS[16], KEYS[2], now, h[2], id, "unknown", "nobody knows what became of what it covers.")
  end
end
fault(KEYS[5], KEYS[4], 30 * 24 * 3600 * 1000)
trust(KEYS[1], KEYS[13], KEYS[14], KEYS[2], KEYS[3], now, h[7], "bad", "unknown", ARGV[1], h[2], h[3])
wait_for_answer(KEYS[6], KEYS[7], KEYS[2], KEYS[8], KEYS[9], now, ARGV[2], h[2], h[3], ARGV[5], ARGV[7],
  { "print", "question", "digest", ARGV[3], "doc", ARGV[4], "timing", "after", "ramp", "", "settles", ARGV[1] })
if ARGV[6] ~= "" then
  redis.call("HSET", KEYS[6], "ladder", ARGV[6])
  redis.call("ZADD", KEYS[10], now + tonumber(string.match(ARGV[6], ":(%d+)")), ARGV[2])
end
is_held(KEYS[6], KEYS[7], KEYS[2], KEYS[3], KEYS[12], KEYS[4], ARGV[2])
list_ask(KEYS[11], KEYS[4], now, ARGV[2])
redis.call("ZREM", KEYS[17], ARGV[1])
redis.call("ZADD", KEYS[18], now + tonumber(ARGV[8]), ARGV[1])
redis.call("PEXPIRE", KEYS[18], ARGV[7])
return { "asked" }
