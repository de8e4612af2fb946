-- open: write a new handoff, once; pending, or decided already by the policy.
--
-- KEYS[1]  {ns}:handoff:<id>           hash    everything about it
-- KEYS[2]  {ns}:due                    zset    id -> deadline, Unix ms
-- KEYS[3]  {ns}:events                 stream  for the other processes and the outbox; kept 7 days
-- KEYS[4]  {ns}:agent:<agent>:events   stream  for the agent; kept 7 days after the last one
-- KEYS[5]  {ns}:agent:<agent>:load     hash    open: count; tat: when the next open is on time, Unix ms; kept 30 days
-- KEYS[6]  {ns}:index                  zset    id -> opened, Unix ms; entries dropped by `sweep`
-- KEYS[7]  {ns}:run:<id>               hash    its life is renewed
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
-- Returns  {"opened", <now ms>} | {"known"} | {"reused"} | {"no_run"} | {"too_fast", <retry ms>} | {"too_many", <open>}

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

local now = now_ms()
local wait = spend(KEYS[5], "tat", now, tonumber(ARGV[13]), tonumber(ARGV[14]), 1)
if wait then
  return { "too_fast", wait }
end

local deadline = now + tonumber(ARGV[8])
local head = { "v", "1", "print", ARGV[2], "agent", ARGV[3], "run", ARGV[4], "rev", "1", "digest", ARGV[5],
  "doc", ARGV[6], "timing", ARGV[7], "opened_at", string.format("%.0f", now), "due_at", string.format("%.0f", deadline) }
if ARGV[10] == "" then
  local open = tonumber(redis.call("HGET", KEYS[5], "open")) or 0
  if open >= tonumber(ARGV[15]) then
    return { "too_many", open }
  end
  redis.call("HSET", KEYS[1], "state", "pending", unpack(head))
  redis.call("PEXPIRE", KEYS[1], tonumber(ARGV[8]) + tonumber(ARGV[9]))
  redis.call("ZADD", KEYS[2], deadline, ARGV[1])
  redis.call("HINCRBY", KEYS[5], "open", 1)
  tell(KEYS[3], nil, now, "opened", ARGV[1], ARGV[3], ARGV[4], "1", "")
else
  redis.call("HSET", KEYS[1], "state", "decided", "decision", ARGV[10], "decided_at", string.format("%.0f", now),
    "kind", ARGV[11], "answer_id", "", "allowed", ARGV[12], "payload", "", unpack(head))
  redis.call("PEXPIRE", KEYS[1], ARGV[9])
  tell(KEYS[3], KEYS[4], now, "decided", ARGV[1], ARGV[3], ARGV[4], "1", ARGV[11])
end
redis.call("PEXPIRE", KEYS[5], 30 * 24 * 3600 * 1000)
redis.call("ZADD", KEYS[6], now, ARGV[1])
redis.call("PEXPIRE", KEYS[7], ARGV[16])
return { "opened", now }
