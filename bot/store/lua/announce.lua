-- announce: tell people something about the service itself, at the places given; once in a while.
--
-- KEYS[1]  {ns}:run:<id>:notice:<key>   string  it was told
-- KEYS[2]  {ns}:notices                 stream  newest 1,000, kept 7 days after the last one
-- KEYS[3]  {ns}:events                  stream
-- ARGV[1]  notice, JSON
-- ARGV[2]  for how long it is not told again, ms
-- Returns  {"told"} | {"known"}

if not redis.call("SET", KEYS[1], "1", "NX", "PX", ARGV[2]) then
  return { "known" }
end
local entry = redis.call("XADD", KEYS[2], "MAXLEN", "~", 1000, "*", "a", "andon", "r", "", "doc", ARGV[1])
redis.call("PEXPIRE", KEYS[2], EVENTS_KEPT_MS)
tell(KEYS[3], nil, now_ms(), "noticed", "", "andon", "", "0", entry)
return { "told" }
