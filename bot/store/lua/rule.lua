-- rule: a person says what became of an action that nobody knew of. That decides the question, and is its outcome; whoever
-- comes second, a person or the agent with its report, changes nothing.
--
-- KEYS[1]  {ns}:handoff:<id>           hash    the question
-- KEYS[2]  {ns}:due                    zset
-- KEYS[3]  {ns}:events                 stream
-- KEYS[4]  {ns}:agent:<agent>:events   stream
-- KEYS[5]  {ns}:agent:<agent>:load     hash
-- KEYS[6]  {ns}:trust:<id>             hash
-- KEYS[7]  {ns}:trust                  zset
-- KEYS[8]  {ns}:brakes                 hash
-- KEYS[9]  {ns}:run:<id>               hash    its run
-- KEYS[10] {ns}:handoff:<id>           hash    what it is about; ruled: a person said what became of it
-- KEYS[11] {ns}:acting                 zset
-- KEYS[12] {ns}:unknown                zset
-- ARGV[1]  id of the question
-- ARGV[2]  answer id: the same one again gets the same reply
-- ARGV[3]  revision that was read
-- ARGV[4]  decision, JSON without its time
-- ARGV[5]  its kind
-- ARGV[6]  id of what it is about
-- ARGV[7]  its outcome, JSON without its time; "" to leave it unknown
-- ARGV[8]  status of that outcome, or ""
-- ARGV[9]  the decision where the agent was first, JSON without its time: the question is withdrawn
-- ARGV[10] retention after the decision, ms
-- Returns  {"won", <decided ms>} | {"won", <decided ms>, "again"} | {"lost"} | {"stale", <revision>} | {"held"} | {"late"}
--          | {"gone"}

if is_held(KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[8], KEYS[9], ARGV[1]) then
  return { "held" }
end
local h = redis.call("HMGET", KEYS[1], "state", "rev", "due_at", "answer_id", "decided_at", "agent", "run")
if not h[1] then
  return { "gone" }
end
local now = now_ms()
local first = redis.call("HMGET", KEYS[10], "state", "rev")

local function close()
  if ARGV[7] ~= "" and first[1] == "claimed" then
    redis.call("HSET", KEYS[10], "state", "closed", "outcome", ARGV[7], "closed_at", string.format("%.0f", now), "ruled", "1")
    redis.call("PEXPIRE", KEYS[10], ARGV[10])
    redis.call("ZREM", KEYS[11], ARGV[6])
    tell(KEYS[3], KEYS[4], now, "closed", ARGV[6], h[6], h[7], first[2], ARGV[8])
  end
  redis.call("ZREM", KEYS[12], ARGV[6])
end

if h[1] ~= "pending" then
  if h[4] == ARGV[2] then
    close()  -- a process of before may have decided it, and knows of no outcome
    return { "won", h[5], "again" }
  end
  return { "lost" }
end
if now >= tonumber(h[3]) then
  return { "late" }
end
if h[2] ~= ARGV[3] then
  return { "stale", h[2] }
end
if first[1] ~= "claimed" then
  settle(ARGV[1], now, "withdrawn", ARGV[9], "", "", "", ARGV[10])
  redis.call("ZREM", KEYS[12], ARGV[6])
  return { "lost" }
end
settle(ARGV[1], now, ARGV[5], ARGV[4], "", "", ARGV[2], ARGV[10])
close()
return { "won", now }
