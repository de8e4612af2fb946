-- look_run: read a run, and what holds it.
--
-- KEYS[1]  {ns}:run:<id>   hash
-- KEYS[2]  {ns}:brakes     hash
-- ARGV[1]  run id
-- Returns  {<agent>, <document>, <started ms>, <checkpoint>, <record of the brake, or "">, <scopes, or "">, <its last sign of life, ms, when it is lost, or "">} | {}

local r = redis.call("HMGET", KEYS[1], "agent", "doc", "started_at", "checkpoint", "scopes", "silent_at")
if not r[2] then
  return {}
end
local _, record = brake_on(KEYS[2], KEYS[1], ARGV[1], r[1])
return { r[1], r[2], r[3], r[4], record or "", r[5] or "", r[6] or "" }
