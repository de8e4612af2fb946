-- notice: tell people something, once; nobody is asked.
--
-- KEYS[1]  {ns}:run:<id>                hash
-- KEYS[2]  {ns}:notices                 stream  newest 1,000, kept 7 days after the last one
-- KEYS[3]  {ns}:events                  stream
-- KEYS[4]  {ns}:agent:<agent>:load      hash    writes: when its allowance is full again, Unix ms
-- KEYS[5]  {ns}:run:<id>:notice:<key>   string  it was told; kept a day
-- ARGV[1]  run id
-- ARGV[2]  agent
-- ARGV[3]  notice, JSON
-- ARGV[4]  ms per write that the agent may make in the long run; 0: no limit
-- ARGV[5]  writes that it may make at once
-- Returns  {"told"} | {"gone"} | {"too_fast", <retry ms>}

if redis.call("HGET", KEYS[1], "agent") ~= ARGV[2] then
  return { "gone" }
end
if redis.call("EXISTS", KEYS[5]) == 1 then
  return { "told" }
end
local now = now_ms()
local wait = spend(KEYS[4], "writes", now, tonumber(ARGV[4]), tonumber(ARGV[5]), 1)
if wait then
  return { "too_fast", wait }
end
redis.call("SET", KEYS[5], "1", "PX", 24 * 3600 * 1000)
local entry = redis.call("XADD", KEYS[2], "MAXLEN", "~", 1000, "*", "a", ARGV[2], "r", ARGV[1], "doc", ARGV[3])
redis.call("PEXPIRE", KEYS[2], EVENTS_KEPT_MS)
tell(KEYS[3], nil, now, "noticed", "", ARGV[2], ARGV[1], "0", entry)
return { "told" }
