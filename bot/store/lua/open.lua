-- open: write a new handoff, once; pending, or decided already by the policy.
--
-- KEYS[1]  {ns}:handoff:<id>           hash    everything about it
-- KEYS[2]  {ns}:due                    zset    id -> deadline, Unix ms
-- KEYS[3]  {ns}:events                 stream  for the other processes and the outbox; kept 7 days
-- KEYS[4]  {ns}:agent:<agent>:events   stream  for the agent; kept 7 days after the last one
-- KEYS[5]  {ns}:agent:<agent>:load     hash    open: count; tat: when the next open is on time, Unix ms; kept 30 days
-- KEYS[6]  {ns}:index                  zset    id -> opened, Unix ms; entries dropped by `sweep`
-- KEYS[7]  {ns}:run:<id>               hash    its life is renewed
-- KEYS[8]  {ns}:told                   zset    id -> when it was told, Unix ms; the latest hundred
-- KEYS[9]  {ns}:ladder                 zset    id -> when the first step of its ladder is due, Unix ms
-- KEYS[10] {ns}:agent:<agent>:asks     zset    id -> asked, Unix ms; kept as long as a burst is counted
-- KEYS[11] {ns}:agent:<agent>:grants   hash    a use is counted
-- KEYS[12] {ns}:run:<id>               hash    the run that this one comes from, or itself: unsure asks count there
-- KEYS[13] {ns}:agent:<agent>:drawn    hash    tool -> what was drawn last, while none drawn was claimed; kept for a day
-- KEYS[14] {ns}:brakes                 hash
-- KEYS[15] {ns}:acting                 zset    id -> decided, Unix ms: what is allowed and not reported yet
-- KEYS[16] {ns}:run:<id>:asks          zset    id -> opened, Unix ms; kept as its run is
-- ARGV[1]  handoff id
-- ARGV[2]  fingerprint of the request
-- ARGV[3]  agent
-- ARGV[4]  run id
-- ARGV[5]  digest
-- ARGV[6]  the ask and its route, compressed
-- ARGV[7]  timing, "before" or "after"
-- ARGV[8]  time to answer, ms
-- ARGV[9]  retention after the decision, ms
-- ARGV[10] decision, JSON; "" when a person is asked
-- ARGV[11] kind of that decision, or ""
-- ARGV[12] digest that it allows, or ""
-- ARGV[13] ms per open that the agent may make in the long run; 0: no limit
-- ARGV[14] opens that it may make at once
-- ARGV[15] handoffs that it may have open
-- ARGV[16] a run's life after its last sign of life, ms
-- ARGV[17] "unsure" when the agent's confidence is below the policy's floor; else ""
-- ARGV[18] text of the trust ramp that its end counts in, or ""
-- ARGV[19] "told" when people are told of what the policy decided alone, "review" when they look at what came of it; else ""
-- ARGV[20] the ladder, as `climb` has it, or "" for none
-- ARGV[21] open asks of one agent after which its cards are gathered; 0: never
-- ARGV[22] asks of one agent within ARGV[23] after which they are; 0: never
-- ARGV[23] how long a burst is counted, ms
-- ARGV[24] the grant that covers it, or ""
-- ARGV[25] "uses" when that grant decides it, "near" when a person is asked all the same
-- ARGV[26] "drawn" when it is of a sample, "free" when the draw spared it, with a space and its tool; else ""
-- ARGV[27] "anyway" to open it on hold where the run is stopped; else ""
-- Returns  {"opened", <now ms>} | {"opened", <now ms>, "open" or "burst", <how many>}
--          | {"known"} | {"reused"} | {"no_run"} | {"too_fast", <retry ms>} | {"too_many", <open>}
--          | {"braked", <record>} (somebody stopped the run)
--          | {"drawn"} (one of its tool was drawn meanwhile) | {"no_grant"} (the grant stands no more)

local found = redis.call("HGET", KEYS[1], "print")
if found then
  if found == ARGV[2] then
    return { "known" }
  end
  return { "reused" }
end
if redis.call("HGET", KEYS[7], "agent") ~= ARGV[3] then
  return { "no_run" }
end
local _, record = brake_on(KEYS[14], KEYS[7], ARGV[4], ARGV[3])
if record and ARGV[27] ~= "anyway" then
  return { "braked", record }
end

local now = now_ms()
if ARGV[25] == "uses" and not stands(KEYS[11], ARGV[24], now) then
  return { "no_grant" }
end
local draw, tool = string.match(ARGV[26], "^(%l+) (.*)$")
if draw == "free" and redis.call("HEXISTS", KEYS[13], tool) == 1 then
  return { "drawn" }
end
local wait = spend(KEYS[5], "tat", now, tonumber(ARGV[13]), tonumber(ARGV[14]), 1)
if wait then
  return { "too_fast", wait }
end

local head = { "print", ARGV[2], "digest", ARGV[5], "doc", ARGV[6], "timing", ARGV[7], "ramp", ARGV[18] }
if ARGV[10] == "" then
  local open = tonumber(redis.call("HGET", KEYS[5], "open")) or 0
  if open >= tonumber(ARGV[15]) then
    return { "too_many", open }
  end
  wait_for_answer(KEYS[1], KEYS[2], KEYS[3], KEYS[5], KEYS[6], now, ARGV[1], ARGV[3], ARGV[4], ARGV[8], ARGV[9], head)
else
  local at = string.format("%.0f", now)
  redis.call("HSET", KEYS[1], "v", "1", "state", "decided", "agent", ARGV[3], "run", ARGV[4], "rev", "1",
    "opened_at", at, "due_at", string.format("%.0f", now + tonumber(ARGV[8])), "decision", ARGV[10], "decided_at", at,
    "kind", ARGV[11], "answer_id", "", "allowed", ARGV[12], "payload", "", "at_once", "1", unpack(head))
  redis.call("PEXPIRE", KEYS[1], ARGV[9])
  tell(KEYS[3], KEYS[4], now, "decided", ARGV[1], ARGV[3], ARGV[4], "1", ARGV[11])
  if ARGV[12] ~= "" then
    may_act(KEYS[15], now, ARGV[1], ARGV[9])
  end
  redis.call("PEXPIRE", KEYS[5], 30 * 24 * 3600 * 1000)
  redis.call("ZADD", KEYS[6], now, ARGV[1])
end
if ARGV[19] == "told" then
  redis.call("ZADD", KEYS[8], now, ARGV[1])
  redis.call("ZREMRANGEBYRANK", KEYS[8], 0, -101)
  redis.call("PEXPIRE", KEYS[8], ARGV[9])
end
if ARGV[19] == "review" then
  redis.call("HSET", KEYS[1], "watch", "review")
  if draw == "drawn" then
    redis.call("HSET", KEYS[1], "drawn", tool)
    redis.call("HSET", KEYS[13], tool, ARGV[1])
    redis.call("PEXPIRE", KEYS[13], 24 * 3600 * 1000)
  end
end
if ARGV[24] ~= "" then
  redis.call("HSET", KEYS[1], ARGV[25] .. "_grant", ARGV[24])
end
if ARGV[25] == "uses" then
  redis.call("HINCRBY", KEYS[11], "uses:" .. ARGV[24], 1)
  redis.call("HSET", KEYS[11], "last:" .. ARGV[24], string.format("%.0f", now))
end
redis.call("PEXPIRE", KEYS[7], ARGV[16])
redis.call("ZREMRANGEBYSCORE", KEYS[16], "-inf", now - tonumber(ARGV[9]) - 8 * 24 * 3600 * 1000)
list_ask(KEYS[16], KEYS[7], now, ARGV[1])
if ARGV[17] == "unsure" then
  fault(KEYS[12], KEYS[7], ARGV[16])
end
if ARGV[10] == "" then
  if ARGV[20] ~= "" then
    redis.call("HSET", KEYS[1], "ladder", ARGV[20])
    redis.call("ZADD", KEYS[9], now + tonumber(string.match(ARGV[20], ":(%d+)")), ARGV[1])
  end
  local word, count = crowd(KEYS[5], KEYS[10], now, ARGV[1], tonumber(ARGV[21]), tonumber(ARGV[22]), ARGV[23])
  if word then
    redis.call("HSET", KEYS[1], "crowd", word)
  end
  if record then
    by_brake(KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[14], KEYS[7], now, ARGV[1])
  end
  if word then
    return { "opened", now, word, count }
  end
end
return { "opened", now }
