-- settle: the part that answer, expire and withdraw share. Put before each of them when the scripts are loaded.
--
-- Writes a decision on an open handoff: state, time, timer, open count, and the event for everybody and for the agent.

local function now_ms()
  local t = redis.call("TIME")
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

local EVENTS_KEPT_MS = 7 * 24 * 3600 * 1000

-- tell: one event, under one id, to all processes and (unless `agent_key` is nil) to the agent.
local function tell(events_key, agent_key, now, event, id, agent, run, revision, kind)
  local oldest = string.format("%.0f", now - EVENTS_KEPT_MS)
  local entry = redis.call("XADD", events_key, "MINID", "~", oldest, "*",
    "e", event, "h", id, "a", agent, "r", run, "v", revision, "k", kind)
  if agent_key then
    redis.call("XADD", agent_key, "MINID", "~", oldest, entry,
      "e", event, "h", id, "a", agent, "r", run, "v", revision, "k", kind)
    redis.call("PEXPIRE", agent_key, EVENTS_KEPT_MS)
  end
  return entry
end

-- spend: take `cost` from an agent's allowance (a bucket that refills one unit every `per_unit` ms and holds `burst`);
-- returns nil, or how long to wait, ms. `per_unit` 0: no limit. `field` in the agent's load has the bucket.
local function spend(load_key, field, now, per_unit, burst, cost)
  if per_unit <= 0 then
    return nil
  end
  local full_at = math.max(tonumber(redis.call("HGET", load_key, field)) or 0, now)
  local wait = full_at + per_unit * cost - now - per_unit * burst
  if wait > 0 then
    return math.ceil(wait)
  end
  redis.call("HSET", load_key, field, string.format("%.0f", full_at + per_unit * cost))
  redis.call("PEXPIRE", load_key, 30 * 24 * 3600 * 1000)
  return nil
end

-- settle: KEYS[1] handoff, KEYS[2] due, KEYS[3] events, KEYS[4] the agent's events, KEYS[5] the agent's load
local function settle(id, now, kind, decision, allowed_digest, payload, answer_id, retention_ms)
  local h = redis.call("HMGET", KEYS[1], "agent", "run", "rev")
  redis.call("HSET", KEYS[1], "state", "decided", "decision", decision, "decided_at", string.format("%.0f", now),
    "kind", kind, "answer_id", answer_id, "allowed", allowed_digest, "payload", payload)
  redis.call("PEXPIRE", KEYS[1], retention_ms)
  redis.call("ZREM", KEYS[2], id)
  redis.call("HINCRBY", KEYS[5], "open", -1)
  return tell(KEYS[3], KEYS[4], now, "decided", id, h[1], h[2], h[3], kind)
end
