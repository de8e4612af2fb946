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

-- vote_line: a vote as the hash keeps it. JSON has no line end, so that nothing in it passes for another's id.
local function vote_line(id, now, vote)
  return "\n" .. id .. " " .. string.format("%.0f", now) .. " " .. vote
end

-- notify: put what people are to be told, JSON, among the notices, and let it be told.
local function notify(notices_key, events_key, now, agent, run, doc)
  local entry = redis.call("XADD", notices_key, "MAXLEN", "~", 1000, "*", "a", agent, "r", run, "doc", doc)
  redis.call("PEXPIRE", notices_key, EVENTS_KEPT_MS)
  tell(events_key, nil, now, "noticed", "", agent, run, "0", entry)
end

-- watched_since: from when on somebody was there to hear signs of life; now, where nobody was a moment ago.
local function watched_since(watch_key, now, gap_ms)
  local w = redis.call("HMGET", watch_key, "at", "since")
  if not w[1] or math.abs(now - tonumber(w[1])) > gap_ms then
    return now
  end
  return tonumber(w[2])
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

-- wait: write a new handoff that somebody is to answer, with its timer, its place in the index, and its event.
-- It counts among the agent's open ones. `head` are its other fields.
local function wait_for_answer(handoff_key, due_key, events_key, load_key, index_key, now, id, agent, run, wait_ms, retention_ms, head)
  local deadline = now + tonumber(wait_ms)
  redis.call("HSET", handoff_key, "v", "1", "state", "pending", "agent", agent, "run", run, "rev", "1",
    "opened_at", string.format("%.0f", now), "due_at", string.format("%.0f", deadline), unpack(head))
  redis.call("PEXPIRE", handoff_key, tonumber(wait_ms) + tonumber(retention_ms))
  redis.call("ZADD", due_key, deadline, id)
  redis.call("HINCRBY", load_key, "open", 1)
  redis.call("PEXPIRE", load_key, 30 * 24 * 3600 * 1000)
  redis.call("ZADD", index_key, now, id)
  tell(events_key, nil, now, "opened", id, agent, run, "1", "")
end

-- list_ask: put it among those of its run, for as long as the run is kept.
local function list_ask(asks_key, run_key, at, id)
  redis.call("ZADD", asks_key, at, id)
  redis.call("PEXPIRE", asks_key, redis.call("PTTL", run_key))
end

-- fault: count what went wrong in the run that all come from; in the run itself where that one is gone.
local function fault(root_key, run_key, life_ms)
  if redis.call("EXISTS", root_key) == 0 then
    root_key = run_key
  end
  if redis.call("EXISTS", root_key) == 1 then
    redis.call("HINCRBY", root_key, "failures", 1)
    redis.call("PEXPIRE", root_key, life_ms)
  end
end

-- crowd: does the agent ask more than people can read? Returns "burst" or "open" and how many, or nil.
local function crowd(load_key, asks_key, now, id, most_open, most_asks, within_ms)
  if most_asks > 0 then
    redis.call("ZREMRANGEBYSCORE", asks_key, "-inf", now - tonumber(within_ms))
    redis.call("ZADD", asks_key, now, id)
    redis.call("PEXPIRE", asks_key, within_ms)
    local count = redis.call("ZCARD", asks_key)
    if count > most_asks then
      return "burst", count
    end
  end
  local open = tonumber(redis.call("HGET", load_key, "open"))
  if most_open > 0 and open > most_open then
    return "open", open
  end
  return nil
end

-- open_review: open the one that shows what came of `first`. `review` is its id, digest, document, time to answer in ms,
-- and ladder. With `unearned` set, letting it stand adds nothing to its ramp.
local function open_review(handoff_key, review_key, due_key, events_key, load_key, index_key, ladder_key, now, first,
  agent, run, ramp, review, retention_ms, unearned)
  redis.call("HSET", handoff_key, "review", review[1])
  wait_for_answer(review_key, due_key, events_key, load_key, index_key, now, review[1], agent, run, review[4],
    retention_ms, { "print", "review", "digest", review[2], "doc", review[3], "timing", "after", "ramp", ramp or "",
    "follows", first, "unearned", unearned })
  if review[5] ~= "" then
    redis.call("HSET", review_key, "ladder", review[5])
    redis.call("ZADD", ladder_key, now + tonumber(string.match(review[5], ":(%d+)")), review[1])
  end
end

-- may_act: note what is allowed and not reported yet, so that a stop can name it.
local function may_act(acting_key, now, id, retention_ms)
  redis.call("ZADD", acting_key, now, id)
  redis.call("PEXPIRE", acting_key, retention_ms)
end

local DELIVERED_WITHIN_MS = 60 * 1000

-- expect_delivery: note by when the agent should have a decision. It knows its own withdrawal, and of an ended run or of
-- what may stay done there is nothing left to do.
local function expect_delivery(undelivered_key, now, id, kind, timing, retention_ms)
  if kind == "withdrawn" or kind == "aborted" or (timing == "after" and kind == "approved") then
    return
  end
  redis.call("ZADD", undelivered_key, now + DELIVERED_WITHIN_MS, id)
  redis.call("PEXPIRE", undelivered_key, retention_ms)
end

local TRUST_KEPT_MS = 400 * 24 * 3600 * 1000

-- trust: let the way that a handoff ended count in its ramp, once: "good" adds one, "bad" starts over and says so.
-- `ramp` is the ramp's own text; without one nothing counts.
local function trust(handoff_key, trust_key, trusts_key, events_key, agent_key, now, ramp, effect, why, id, agent, run)
  if not ramp or ramp == "" or effect == "" or redis.call("HSETNX", handoff_key, "ramped", effect) == 0 then
    return
  end
  local at = string.format("%.0f", now)
  if effect == "good" then
    redis.call("HINCRBY", trust_key, "good", 1)
    redis.call("HSET", trust_key, "at", at, "ramp", ramp)
  else
    local had = tonumber(redis.call("HGET", trust_key, "good")) or 0
    redis.call("HSET", trust_key, "good", "0", "at", at, "ramp", ramp, "reset_at", at, "reset_why", why, "reset_by", id)
    if had > 0 then
      tell(events_key, agent_key, now, "trust_reset", "", agent, run, "1", why)
    end
  end
  redis.call("PEXPIRE", trust_key, TRUST_KEPT_MS)
  redis.call("ZADD", trusts_key, now, ramp)
  redis.call("ZREMRANGEBYSCORE", trusts_key, "-inf", now - TRUST_KEPT_MS)
  redis.call("PEXPIRE", trusts_key, TRUST_KEPT_MS)
end

-- settle: KEYS[1] handoff, KEYS[2] due, KEYS[3] events, KEYS[4] the agent's events, KEYS[5] the agent's load,
-- KEYS[6] the trust that its ramp has earned, KEYS[7] all ramps
local function settle(id, now, kind, decision, allowed_digest, payload, answer_id, retention_ms)
  local h = redis.call("HMGET", KEYS[1], "agent", "run", "rev", "ramp", "follows", "unearned")
  redis.call("HSET", KEYS[1], "state", "decided", "decision", decision, "decided_at", string.format("%.0f", now),
    "kind", kind, "answer_id", answer_id, "allowed", allowed_digest, "payload", payload)
  redis.call("HDEL", KEYS[1], "left", "brake", "life")
  redis.call("PEXPIRE", KEYS[1], retention_ms)
  redis.call("ZREM", KEYS[2], id)
  redis.call("HINCRBY", KEYS[5], "open", -1)
  -- A person's no sends trust back; their yes after the fact adds to it, one before is counted when it was done.
  local kept = kind == "approved" and h[5] and answer_id ~= "" and h[6] ~= "1"
  trust(KEYS[1], KEYS[6], KEYS[7], KEYS[3], KEYS[4], now, h[4], kind == "rejected" and "bad" or kept and "good" or "",
    kind, id, h[1], h[2])
  return tell(KEYS[3], KEYS[4], now, "decided", id, h[1], h[2], h[3], kind)
end
