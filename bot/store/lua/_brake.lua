-- brake: the part that asks whether a run is held, and moves an open handoff to where that puts it. Put before each
-- script when the scripts are loaded, after `_settle`.
--
-- {ns}:brakes         hash  scope -> "<said> <on> <epoch> <action> <JSON>": when the person said it and when it was
--                           written (Unix ms), its number, what it is, and by whom and why; "!<scope>" for an abort,
--                           "?run:<id>" for a steer, so that reading it lifts no pause and a stop loses no words
-- {ns}:brakes:lifted  hash  scope -> "<on>-<off> …", the newest 20 stops that were lifted, Unix ms
-- A scope is "all", "agent:<name>", "at:<surface>:<channel>" or "run:<id>"; {ns}:run:<id> has in `scopes` all that hold
-- it, one a line, those of the runs that it comes from among them.

-- In {ns}:due, what is held has this much and the time that is left: no deadline is as late. Of before, it may have since
-- when it is held in place of that.
local HELD_FROM = 10000000000000
local HELD_KEPT_MS = 400 * 24 * 3600 * 1000
local FORCE = { pause = 1, steer = 2, stop = 3, abort = 4 }

local function scopes_of(packed, run, agent)
  local found = {}
  for scope in string.gmatch(packed or ("run:" .. run .. "\nagent:" .. agent .. "\nall"), "[^\n]+") do
    found[#found + 1] = scope
    found[#found + 1] = "!" .. scope
    if string.sub(scope, 1, 4) == "run:" then
      found[#found + 1] = "?" .. scope
    end
  end
  return found
end

-- brake_on: the strongest brake that holds a run: its action, its record and since when it is held; nil: none does.
-- It holds what was started before the person spoke, and, but for an abort, what starts while it is on.
local function brake_on(brakes_key, run_key, run, agent)
  if redis.call("EXISTS", brakes_key) == 0 then
    return nil
  end
  local r = redis.call("HMGET", run_key, "scopes", "started_at")
  local started = tonumber(r[2]) or 0
  local strongest, record, since
  for _, packed in ipairs(redis.call("HMGET", brakes_key, unpack(scopes_of(r[1], run, agent)))) do
    if packed then
      local said, on, _, action = string.match(packed, "^(%d+) (%d+) (%d+) (%l+) ")
      if started <= tonumber(said) or (action ~= "abort" and started >= tonumber(on)) then
        if not strongest or FORCE[action] > FORCE[strongest] then
          strongest, record = action, packed
        end
        since = math.min(since or tonumber(on), tonumber(on))
      end
    end
  end
  return strongest, record, since
end

-- by_brake: the state of an open handoff, once it is where the brakes put it: `held` with its clock stopped, or
-- `pending` with the time that was left. What was due before the stop is over all the same.
local function by_brake(handoff_key, due_key, events_key, agent_key, brakes_key, run_key, now, id)
  local f = redis.call("HMGET", handoff_key, "state", "agent", "run", "rev", "due_at", "left", "brake", "timing", "life", "stops")
  local turn = 2 * (tonumber(f[10]) or 0)  -- which hold, or which wait after it, this is: `hub.Recent` orders them by it
  if f[1] ~= "pending" and f[1] ~= "held" then
    return f[1]
  end
  local action, record, since = brake_on(brakes_key, run_key, f[3], f[2])
  if action == "abort" and f[8] == "after" then
    action = nil  -- it is done already, and may still have to be undone
  end
  if action and f[1] == "pending" then
    local left = tonumber(f[5]) - since
    if left <= 0 then
      return "pending"
    end
    redis.call("HSET", handoff_key, "state", "held", "left", string.format("%.0f", left), "brake", record,
      "life", redis.call("PTTL", handoff_key))
    redis.call("PEXPIRE", handoff_key, HELD_KEPT_MS)
    redis.call("PEXPIRE", run_key, HELD_KEPT_MS)
    redis.call("ZADD", due_key, HELD_FROM + left, id)
    tell(events_key, agent_key, now, "held", id, f[2], f[3], f[4], tostring(turn + 1))
    return "held"
  end
  if action and f[7] ~= record then
    redis.call("HSET", handoff_key, "brake", record)
    tell(events_key, agent_key, now, "held", id, f[2], f[3], f[4], tostring(turn + 1))
  elseif not action and f[1] == "held" then
    local due = now + tonumber(f[6])
    redis.call("HDEL", handoff_key, "left", "brake", "life")
    redis.call("HSET", handoff_key, "state", "pending", "due_at", string.format("%.0f", due))
    redis.call("HINCRBY", handoff_key, "stops", 1)
    redis.call("PEXPIRE", handoff_key, math.max(tonumber(f[9]), 1000))
    redis.call("PEXPIRE", run_key, 30 * 24 * 3600 * 1000)
    redis.call("ZADD", due_key, due, id)
    tell(events_key, agent_key, now, "released", id, f[2], f[3], f[4], tostring(turn + 2))
    return "pending"
  end
  return f[1]
end

-- is_held: by_brake, at the cost of one look where there is no brake at all. Read the handoff after it, not before.
local function is_held(handoff_key, due_key, events_key, agent_key, brakes_key, run_key, id)
  local state = redis.call("HGET", handoff_key, "state")
  if state ~= "held" and (state ~= "pending" or redis.call("EXISTS", brakes_key) == 0) then
    return false
  end
  return by_brake(handoff_key, due_key, events_key, agent_key, brakes_key, run_key, now_ms(), id) == "held"
end

-- remember_stop: keep when a scope was held, of the newest 20 times; a decision does not age meanwhile.
local function remember_stop(lifted_key, scope, on, now)
  local spans = (redis.call("HGET", lifted_key, scope) or "") .. on .. "-" .. string.format("%.0f", now) .. " "
  local _, count = string.gsub(spans, " ", " ")
  if count > 20 then
    spans = string.match(spans, "^%S+ (.*)$")
  end
  redis.call("HSET", lifted_key, scope, spans)
  redis.call("PEXPIRE", lifted_key, 30 * 24 * 3600 * 1000)
end

-- stopped_ms: how much of the time between the two was spent in stops of this run that were lifted since.
local function stopped_ms(lifted_key, run_key, run, agent, from, to)
  local spans = {}
  local scopes = scopes_of(redis.call("HGET", run_key, "scopes"), run, agent)
  for _, packed in ipairs(redis.call("HMGET", lifted_key, unpack(scopes))) do
    for on, off in string.gmatch(packed or "", "(%d+)-(%d+)") do
      local first, last = math.max(tonumber(on), from), math.min(tonumber(off), to)
      if first < last then
        spans[#spans + 1] = { first, last }
      end
    end
  end
  table.sort(spans, function(a, b) return a[1] < b[1] end)
  local total, reached = 0, from
  for _, span in ipairs(spans) do
    total = total + math.max(0, span[2] - math.max(span[1], reached))
    reached = math.max(reached, span[2])
  end
  return total
end
