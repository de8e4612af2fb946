-- switch_endpoint: send nothing more to an endpoint, or send to it again.
--
-- KEYS[1]  {ns}:endpoint:<id>   hash    off: why nothing is sent to it; off_at: since when, Unix ms; failing_since
-- ARGV[1]  why it is switched off, or "" to switch it on
-- Returns  {"switched"} | {"gone"}

if redis.call("EXISTS", KEYS[1]) == 0 then
  return { "gone" }
end
if ARGV[1] == "" then
  redis.call("HDEL", KEYS[1], "off", "off_at", "failing_since")
elseif redis.call("HEXISTS", KEYS[1], "off") == 0 then
  redis.call("HSET", KEYS[1], "off", ARGV[1], "off_at", string.format("%.0f", now_ms()))
end
return { "switched" }
