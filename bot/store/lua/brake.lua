-- brake: pull or lift the brake of one scope. From its reply on, no claim in that scope succeeds, or all may again.
--
-- KEYS[1]  {ns}:brakes                hash
-- KEYS[2]  {ns}:brakes:epoch          string  the number of the latest pull
-- KEYS[3]  {ns}:brakes:lifted         hash
-- KEYS[4]  {ns}:brakes:told           stream  what agents are told of brakes, under the ids of `events`; 7 days
-- KEYS[5]  {ns}:events                stream
-- KEYS[6]  {ns}:brakes:order:<id>     string  the reply to this order; kept 48 h
-- KEYS[7]  {ns}:run:<id>              hash    of a scope that is one run; else KEYS[1]
-- KEYS[8]  {ns}:run:<id>:steers       list    words that its agent has not met yet, the newest 20; else KEYS[1]
-- ARGV[1]  scope
-- ARGV[2]  stop, pause, steer, abort or resume
-- ARGV[3]  when the person said it, Unix ms, or "" for now
-- ARGV[4]  who, why and what, JSON
-- ARGV[5]  of `resume`: the epoch that must stand, or ""
-- ARGV[6]  agents who are told, with a space around each, or " * " for all
-- ARGV[7]  run id, or ""
-- ARGV[8]  of `steer`: the words as the list has them, JSON
-- ARGV[9]  the number of the pull, where it was drawn elsewhere; "" draws one here
-- ARGV[10] "wide" where other shards have copies of the brake: what is lifted is noted for them, as `follow` has it
-- Returns  {<word>, <record or "">}: pulled, stands (as strong a one was on; of `steer`, a stop: the words hold the run once
--          that is lifted, until its agent has read them), lifted (with the record that was), off, old
--          (something newer stands); {"old"} (the run started later) | {"gone"}

local before = redis.call("GET", KEYS[6])
if before then
  return cjson.decode(before)
end
local now = now_ms()
local said = math.min(tonumber(ARGV[3]) or now, now)
local scope, action = ARGV[1], ARGV[2]
if ARGV[7] ~= "" then
  local started = redis.call("HGET", KEYS[7], "started_at")
  if not started and action ~= "resume" then
    return { "gone" }
  end
  if started and said < tonumber(started) then
    return { "old" }
  end
end

local function answer(word, record)
  local reply = { word, record }
  redis.call("SET", KEYS[6], cjson.encode(reply), "PX", 48 * 3600 * 1000)
  return reply
end

local function announce(event, record)
  local entry = tell(KEYS[5], nil, now, event, "", ARGV[6], ARGV[7], "0", record)
  local oldest = string.format("%.0f", now - EVENTS_KEPT_MS)
  redis.call("XADD", KEYS[4], "MINID", "~", oldest, entry, "e", event, "h", "", "a", ARGV[6], "r", ARGV[7], "v", "0", "k", record)
  redis.call("PEXPIRE", KEYS[4], EVENTS_KEPT_MS)
end

local function parts_of(record)
  return record and { string.match(record, "^(%d+) (%d+) (%d+) (%l+) ") }
end

local words = "?" .. scope
local stands, told = unpack(redis.call("HMGET", KEYS[1], scope, words))

if action == "resume" then
  local field, lifts = scope, stands
  if told and (not stands or parts_of(told)[3] == ARGV[5]) then
    field, lifts = words, told
  end
  if not lifts then
    redis.call("HSET", KEYS[3], "at " .. scope, string.format("%.0f", said))
    redis.call("PEXPIRE", KEYS[3], 30 * 24 * 3600 * 1000)
    return answer("off")
  end
  local was = parts_of(lifts)
  if said < tonumber(was[1]) or (ARGV[5] ~= "" and ARGV[5] ~= was[3]) then
    return answer("old", lifts)
  end
  redis.call("HDEL", KEYS[1], field)
  remember_stop(KEYS[3], scope, was[2], now)
  redis.call("HSET", KEYS[3], "at " .. scope, string.format("%.0f", said))
  if ARGV[10] == "wide" then
    redis.call("HSET", KEYS[3], "upto " .. scope, was[3] .. " " .. string.format("%.0f", now))
  end
  announce("lifted", lifts)
  if told and field == scope then
    announce("braked", told)
  end
  return answer("lifted", lifts)
end

-- A run that was aborted has ended: there is nothing left to stop.
local ended = ARGV[7] ~= "" and redis.call("HGET", KEYS[1], "!" .. scope)
if ended then
  return answer("stands", ended)
end

-- An order that was said before the last resume is over: platforms deliver late, and again.
local lifted_at = tonumber(redis.call("HGET", KEYS[3], "at " .. scope))
if lifted_at and said < lifted_at then
  return answer("old", stands or told or "")
end
local was = parts_of(stands)
if action == "steer" then
  redis.call("RPUSH", KEYS[8], string.format("%.0f", now) .. " " .. ARGV[8])
  redis.call("LTRIM", KEYS[8], -20, -1)
  redis.call("PEXPIRE", KEYS[8], 30 * 24 * 3600 * 1000)
  was = parts_of(told)
end
if was and (FORCE[was[4]] > FORCE[action] or (was[4] == action and action ~= "steer")) then
  return answer("stands", stands)
end
local epoch = ARGV[9] ~= "" and ARGV[9] or redis.call("INCR", KEYS[2])
local on = was and action ~= "abort" and was[2] or string.format("%.0f", now)
local record = string.format("%.0f", said) .. " " .. on .. " " .. epoch .. " " .. action .. " " .. ARGV[4]
if action == "abort" and ARGV[7] ~= "" then
  redis.call("HDEL", KEYS[1], scope, words)
end
redis.call("HSET", KEYS[1], (({ abort = "!", steer = "?" })[action] or "") .. scope, record)
if action == "steer" and stands and parts_of(stands)[4] == "stop" then
  return answer("stands", stands)
end
announce("braked", record)
return answer("pulled", record)
