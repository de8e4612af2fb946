-- hold: put some handoffs where the brakes put them, so that their cards tell: an open one on hold or waiting again; one
-- that is decided and not acted on yet marked as stopped, or not any more; one that allows nothing only hears of a steer.
--
-- KEYS[1]  {ns}:due                    zset
-- KEYS[2]  {ns}:events                 stream
-- KEYS[3]  {ns}:brakes                 hash
-- KEYS[4]  {ns}:acting                 zset
-- KEYS[5]  {ns}:handoff:<id>           hash    these four of the first handoff, then of the next, up to a hundred
-- KEYS[6]  {ns}:run:<id>               hash
-- KEYS[7]  {ns}:agent:<agent>:events   stream
-- KEYS[8]  {ns}:run:<id>:asks          zset
-- ARGV[1]  the steer that was heard, JSON, or ""
-- ARGV[2]  id of the first handoff, then of the next
-- Returns  for each {<state>, <action of the brake or "">, <changed: 1 or 0>} | {"gone"}

local DAY_MS = 24 * 3600 * 1000
local MONTH_MS = 30 * DAY_MS
local now = now_ms()

-- stay_listed: keep it among those of its run, one that a process of before opened too. Almost always nothing is written.
local function stay_listed(asks_key, run_key, now, opened_at, id)
  local at = opened_at < now - MONTH_MS and now or opened_at
  if (tonumber(redis.call("ZSCORE", asks_key, id)) or 0) < at then
    redis.call("ZADD", asks_key, at, id)
  end
  local life = redis.call("PTTL", run_key)
  if math.abs(life - redis.call("PTTL", asks_key)) > DAY_MS then
    redis.call("PEXPIRE", asks_key, life)
  end
end

local function hold(handoff_key, run_key, agent_key, asks_key, id)
  local h = redis.call("HMGET", handoff_key, "state", "agent", "run", "rev", "brake", "opened_at", "allowed")
  if not h[1] then
    redis.call("ZREM", KEYS[1], id)
    redis.call("ZREM", KEYS[4], id)
    return { "gone" }
  end
  if ARGV[1] ~= "" then
    redis.call("HSET", handoff_key, "heard", string.format("%.0f", now) .. " " .. ARGV[1])
  end
  local action, record = brake_on(KEYS[3], run_key, h[3], h[2])
  if h[1] == "pending" or h[1] == "held" then
    local state = by_brake(handoff_key, KEYS[1], KEYS[2], agent_key, KEYS[3], run_key, now, id)
    stay_listed(asks_key, run_key, now, tonumber(h[6]), id)
    return { state, action or "", (state ~= h[1] or redis.call("HGET", handoff_key, "brake") ~= h[5]) and 1 or 0 }
  end
  if h[1] == "closed" then
    redis.call("ZREM", KEYS[4], id)
  end
  if h[1] == "decided" and (h[7] or "") == "" then
    if ARGV[1] ~= "" then
      tell(KEYS[2], nil, now, "freed", id, h[2], h[3], h[4], "")
    end
    return { h[1], action or "", ARGV[1] ~= "" and 1 or 0 }
  end
  if h[1] ~= "decided" or (record or false) == h[5] then
    return { h[1], action or "", 0 }
  end
  if record then
    redis.call("HSET", handoff_key, "brake", record)
  else
    redis.call("HDEL", handoff_key, "brake")
  end
  tell(KEYS[2], nil, now, record and "stopped" or "freed", id, h[2], h[3], h[4], "")
  return { h[1], action or "", 1 }
end

local found = {}
for n = 1, #ARGV - 1 do
  local at = 1 + 4 * n
  found[n] = hold(KEYS[at], KEYS[at + 1], KEYS[at + 2], KEYS[at + 3], ARGV[n + 1])
end
return found
