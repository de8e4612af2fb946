-- start_run: write a new run, once.
--
-- KEYS[1]  {ns}:run:<id>      hash
-- KEYS[2]  {ns}:run:<parent>  hash  (KEYS[1] again when there is no parent)
-- KEYS[3]  {ns}:agent:<agent>:load  hash  writes: when its allowance is full again, Unix ms
-- KEYS[4]  {ns}:conversation:<surface>:<channel>:runs  zset  run -> started, Unix ms; the newest 200, kept as a run is
-- KEYS[5]  {ns}:run:<parent>:children  zset  run -> started, Unix ms; the newest, kept for as long as a run may be on hold
-- KEYS[6]  {ns}:beats  zset  run -> when it is lost, Unix ms
-- ARGV[1]  fingerprint of the request
-- ARGV[2]  agent
-- ARGV[3]  the run, JSON
-- ARGV[4]  "parent" when it has one, else ""
-- ARGV[5]  life after its last sign of life, ms
-- ARGV[6]  ms per write that the agent may make in the long run; 0: no limit
-- ARGV[7]  writes that it may make at once
-- ARGV[8]  run id, or "" when it has no conversation (KEYS[4] is KEYS[1] again then)
-- ARGV[9]  id of its parent, or ""
-- ARGV[10] scopes that hold it beside those of its parent, one a line
-- ARGV[11] run id
-- ARGV[12] the form of a run whose asks and child runs are in an index
-- ARGV[13] child runs of which the newest are kept; one more says that there were more
-- ARGV[14] after so long without a sign of life it is lost, ms; "" when it promised none
-- Returns  {"started", <now ms>} | {"known"} | {"reused"} | {"no_parent"} | {"too_deep"} | {"too_fast", <retry ms>}

local MOST_SCOPES = 16384  -- bytes: a hundred runs that started one another

local found = redis.call("HGET", KEYS[1], "print")
if found then
  if found == ARGV[1] then
    return { "known" }
  end
  return { "reused" }
end
if ARGV[4] == "parent" and redis.call("HGET", KEYS[2], "agent") ~= ARGV[2] then
  return { "no_parent" }
end
local scopes = ARGV[10]
if ARGV[4] == "parent" then
  scopes = scopes .. "\n" .. (redis.call("HGET", KEYS[2], "scopes") or "run:" .. ARGV[9])
  if string.len(scopes) > MOST_SCOPES then
    return { "too_deep" }
  end
end
local now = now_ms()
local wait = spend(KEYS[3], "writes", now, tonumber(ARGV[6]), tonumber(ARGV[7]), 1)
if wait then
  return { "too_fast", wait }
end
redis.call("HSET", KEYS[1], "v", ARGV[12], "print", ARGV[1], "agent", ARGV[2], "doc", ARGV[3],
  "started_at", string.format("%.0f", now), "checkpoint", "0", "scopes", scopes)
if ARGV[4] == "parent" then
  -- What goes wrong in it counts in the run that they all come from.
  redis.call("HSET", KEYS[1], "root", redis.call("HGET", KEYS[2], "root") or ARGV[9])
  redis.call("ZADD", KEYS[5], now, ARGV[11])
  redis.call("ZREMRANGEBYRANK", KEYS[5], 0, -2 - tonumber(ARGV[13]))
  redis.call("PEXPIRE", KEYS[5], HELD_KEPT_MS)
end
redis.call("PEXPIRE", KEYS[1], ARGV[5])
if ARGV[14] ~= "" then
  redis.call("HSET", KEYS[1], "patience", ARGV[14], "beat_at", string.format("%.0f", now))
  redis.call("ZADD", KEYS[6], now + tonumber(ARGV[14]), ARGV[11])
  redis.call("PEXPIRE", KEYS[6], ARGV[5])
end
if ARGV[8] ~= "" then
  local t = redis.call("TIME")  -- to the microsecond: those of one millisecond keep their order
  redis.call("ZADD", KEYS[4], t[1] * 1000 + t[2] / 1000, ARGV[8])
  redis.call("ZREMRANGEBYRANK", KEYS[4], 0, -201)
  redis.call("PEXPIRE", KEYS[4], ARGV[5])
end
return { "started", now }
