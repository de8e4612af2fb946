-- grants: the part that gives and ends grants. Put before each script when the scripts are loaded, after `_settle`.
--
-- One hash per agent, {ns}:agent:<agent>:grants, has of each grant: <id>, the grant as JSON; as:<id>, what people call
-- it; at:<id> and until:<id>, Unix ms; uses:<id>, a count; last:<id>, Unix ms. It lives as long as its longest grant.

local MOST_GRANTS = 200

-- stands: is the grant there, and its time not up?
local function stands(grants_key, id, now)
  local till = tonumber(redis.call("HGET", grants_key, "until:" .. id))
  return till ~= nil and now < till
end

local function drop_grant(grants_key, id)
  redis.call("HDEL", grants_key, id, "as:" .. id, "at:" .. id, "until:" .. id, "uses:" .. id, "last:" .. id)
end

-- end_grant: end it before its time, and say so to all processes and in the console; `why` is one word, `told` a sentence.
local function end_grant(grants_key, notices_key, events_key, now, agent, id, why, told)
  if not stands(grants_key, id, now) then
    return false
  end
  local text = (redis.call("HGET", grants_key, "as:" .. id) or "A grant") .. " has ended: " .. told
  drop_grant(grants_key, id)
  local doc = cjson.encode({ run_name = "Andon", text = text })
  redis.call("XADD", notices_key, "MAXLEN", "~", 1000, "*", "a", "andon", "r", "", "doc", doc)
  redis.call("PEXPIRE", notices_key, EVENTS_KEPT_MS)
  tell(events_key, nil, now, "grant_ended", "", agent, "", "1", id .. " " .. why)
  return true
end

local function live_as_long(kept_key, life_ms)
  if redis.call("PTTL", kept_key) < life_ms then
    redis.call("PEXPIRE", kept_key, life_ms)
  end
end

-- give_grant: give it, unless it was given; when an agent has as many as it may, its oldest end.
local function give_grant(grants_key, agents_key, notices_key, events_key, now, agent, id, packed, called, life_ms)
  local all, made, standing = redis.call("HGETALL", grants_key), {}, {}
  for i = 1, #all, 2 do
    local which, other = string.match(all[i], "^(%l+):(.+)$")
    if which == "at" then
      made[other] = tonumber(all[i + 1])
    elseif which == "until" and now < tonumber(all[i + 1]) then
      standing[#standing + 1] = other
    elseif which == "until" then
      drop_grant(grants_key, other)
    end
  end
  table.sort(standing, function(a, b) return made[a] < made[b] end)
  for i = 1, #standing - MOST_GRANTS + 1 do
    end_grant(grants_key, notices_key, events_key, now, agent, standing[i], "crowded",
      "its agent has " .. MOST_GRANTS .. " newer ones.")
  end
  local till = now + life_ms
  redis.call("HSET", grants_key, id, packed, "as:" .. id, called, "at:" .. id, string.format("%.0f", now),
    "until:" .. id, string.format("%.0f", till), "uses:" .. id, "0")
  live_as_long(grants_key, life_ms)
  redis.call("ZADD", agents_key, "GT", till, agent)
  redis.call("ZREMRANGEBYSCORE", agents_key, "-inf", now)
  live_as_long(agents_key, life_ms)
end
