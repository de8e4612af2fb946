-- climb: do what the ladder of a pending handoff says for now: remind, once, and climb every rung that is due.
--
-- KEYS[1]  {ns}:handoff:<id>   hash    ladder: "<time to answer, ms>:<ms after the opening><r or e> …"; step: how many are
--                                      done; rungs; called_at: the last call, Unix ms; asides: a line each
-- KEYS[2]  {ns}:ladder         zset    handoff -> when its next step is due, Unix ms
-- KEYS[3]  {ns}:events         stream
-- ARGV[1]  handoff id
-- ARGV[2]  the least time between two calls, ms
-- ARGV[3]  no reminder when less than this is left, ms
-- ARGV[4]  when a held one is looked at again, ms
-- ARGV[5]  the stage that the votes have brought it to
-- ARGV[6]  "<revision>:<votes>" that were counted for that, or "" where there is but one stage
-- Returns  {"climbed", <rungs now>, <reminded: 1 or 0>} | {"early"} | {"held"} | {"over"} | {"moved"}

local h = redis.call("HMGET", KEYS[1], "state", "rev", "due_at", "ladder", "step", "rungs", "called_at",
  "agent", "run", "vote_n")
if not h[1] or (h[1] ~= "pending" and h[1] ~= "held") or not h[4] then
  redis.call("ZREM", KEYS[2], ARGV[1])
  return { "over" }
end
local now = now_ms()
if h[1] == "held" then
  redis.call("ZADD", KEYS[2], now + tonumber(ARGV[4]), ARGV[1])
  return { "held" }
end
local due_at = tonumber(h[3])
if now >= due_at then
  redis.call("ZREM", KEYS[2], ARGV[1])
  return { "over" }
end

if ARGV[6] ~= "" and ARGV[6] ~= h[2] .. ":" .. (h[10] or "0") then
  return { "moved" }
end

local life, list = string.match(h[4], "^(%d+):(.*)$")
local opened = due_at - tonumber(life)  -- not `opened_at`: a hold moves the deadline, and the steps with it
local done, rungs = tonumber(h[5]) or 0, tonumber(h[6]) or 0
local number, before, remind, following = 0, rungs, nil, nil
for after, kind in string.gmatch(list, "(%d+)([re])") do
  number = number + 1
  if number > done then
    if opened + tonumber(after) > now then
      following = opened + tonumber(after)
      break
    end
    done = number
    if kind == "e" then
      rungs = rungs + 1
    else
      remind = number
    end
  end
end
if following then
  redis.call("ZADD", KEYS[2], following, ARGV[1])
else
  redis.call("ZREM", KEYS[2], ARGV[1])
end
if rungs == before and not remind then
  return { "early" }
end

-- aside: one line more below the card, and the event that tells of it
local at = string.format("%.0f", now)
local lines = redis.call("HGET", KEYS[1], "asides")
local function aside(event, id, rung)
  local line = at .. ' {"id":"' .. id .. '","kind":"' .. event .. '","rung":' .. rung .. ',"stage":' .. ARGV[5] .. "}"
  lines = lines and lines .. "\n" .. line or line
  tell(KEYS[3], nil, now, event, ARGV[1], h[8], h[9], h[2], id)
end
for rung = before + 1, rungs do
  aside("escalated", "rung-" .. rung, rung)
end
local apart = now - (tonumber(h[7]) or 0) >= tonumber(ARGV[2])
local reminded = 0
if remind and rungs == before and apart and due_at - now >= tonumber(ARGV[3]) then
  aside("reminded", "step-" .. remind, 0)
  reminded = 1
end
redis.call("HSET", KEYS[1], "step", done, "rungs", rungs)
if reminded == 1 or rungs > before then
  redis.call("HSET", KEYS[1], "called_at", at, "asides", lines)
end
return { "climbed", rungs, reminded }
