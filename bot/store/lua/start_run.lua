-- start_run: write a new run, once.
--
-- KEYS[1]  {ns}:run:<id>      hash
-- KEYS[2]  {ns}:run:<parent>  hash  (KEYS[1] again when there is no parent)
-- ARGV[1]  fingerprint of the request
-- ARGV[2]  agent
-- ARGV[3]  the run, JSON
-- ARGV[4]  "parent" when it has one, else ""
-- ARGV[5]  life after its last sign of life, ms
-- Returns  {"started", <now ms>} | {"known"} | {"reused"} | {"no_parent"}

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
local now = now_ms()
redis.call("HSET", KEYS[1], "v", "1", "print", ARGV[1], "agent", ARGV[2], "doc", ARGV[3],
  "started_at", string.format("%.0f", now), "checkpoint", "0")
redis.call("PEXPIRE", KEYS[1], ARGV[5])
return { "started", now }
