-- notice: tell people something; nobody is asked.
--
-- KEYS[1]  {ns}:run:<id>   hash
-- KEYS[2]  {ns}:notices    stream  newest 1,000, kept 7 days after the last one
-- KEYS[3]  {ns}:events     stream
-- ARGV[1]  run id
-- ARGV[2]  agent
-- ARGV[3]  notice, JSON
-- Returns  {"told"} | {"gone"}

if redis.call("HGET", KEYS[1], "agent") ~= ARGV[2] then
  return { "gone" }
end
redis.call("XADD", KEYS[2], "MAXLEN", "~", 1000, "*", "a", ARGV[2], "r", ARGV[1], "doc", ARGV[3])
redis.call("PEXPIRE", KEYS[2], EVENTS_KEPT_MS)
tell(KEYS[3], nil, now_ms(), "noticed", "", ARGV[2], ARGV[1], "0", "")
return { "told" }
