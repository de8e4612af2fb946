-- checkpoint: save where a run stands.
--
-- KEYS[1]  {ns}:run:<id>             hash
-- KEYS[2]  {ns}:run:<id>:checkpoint  hash
-- KEYS[3]  {ns}:agent:<agent>:load   hash  writes: when its allowance is full again, Unix ms
-- KEYS[4]  {ns}:run:<id>:steers      list    what people told it since the checkpoint before
-- KEYS[5]  {ns}:brakes               hash
-- ARGV[1]  agent
-- ARGV[2]  name
-- ARGV[3]  state, JSON
-- ARGV[4]  version that must be the latest, or "" for any
-- ARGV[5]  save id: the same one again gets the same reply
-- ARGV[6]  life after the last sign of life, ms
-- ARGV[7]  ms per write that the agent may make in the long run; 0: no limit
-- ARGV[8]  writes that it may make at once; a state counts as one for each 64 KiB begun
-- ARGV[9]  the handoff that asks whether to go on from here, or ""
-- ARGV[10] run id
-- Returns  {"saved", <version>, <handoff or "">, <record of the brake that holds the run, or "">, <steer>…} | {"moved", <version>} | {"gone"} | {"too_fast", <retry ms>}

local h = redis.call("HMGET", KEYS[1], "agent", "checkpoint")
if h[1] ~= ARGV[1] then
  return { "gone" }
end
local _, record = brake_on(KEYS[5], KEYS[1], ARGV[10], ARGV[1])
if redis.call("HGET", KEYS[2], "save_id") == ARGV[5] then
  return { "saved", h[2], redis.call("HGET", KEYS[2], "handoff") or "", record or "", unpack(cjson.decode(redis.call("HGET", KEYS[2], "steers") or "[]")) }
end
if ARGV[4] ~= "" and ARGV[4] ~= h[2] then
  return { "moved", h[2] }
end
local cost = math.ceil((string.len(ARGV[3]) + 1) / 65536)
local wait = spend(KEYS[3], "writes", now_ms(), tonumber(ARGV[7]), tonumber(ARGV[8]), cost)
if wait then
  return { "too_fast", wait }
end
local version = redis.call("HINCRBY", KEYS[1], "checkpoint", 1)
local steers = redis.call("LRANGE", KEYS[4], 0, -1)
redis.call("DEL", KEYS[4])
redis.call("HSET", KEYS[2], "name", ARGV[2], "state", ARGV[3], "save_id", ARGV[5], "handoff", ARGV[9], "version", version,
  "saved_at", string.format("%.0f", now_ms()), "steers", #steers == 0 and "[]" or cjson.encode(steers))
redis.call("PEXPIRE", KEYS[1], ARGV[6])
redis.call("PEXPIRE", KEYS[2], ARGV[6])
return { "saved", tostring(version), ARGV[9], record or "", unpack(steers) }
