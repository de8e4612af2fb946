-- create_endpoint: register where callbacks go.
--
-- KEYS[1]  {ns}:endpoints       set     ids of all; kept for good
-- KEYS[2]  {ns}:endpoint:<id>   hash    kept until it is removed
-- ARGV[1]  endpoint id
-- ARGV[2]  what it is, JSON
-- ARGV[3]  its secret, sealed
-- ARGV[4]  how many there may be
-- Returns  {"created", <now ms>} | {"known"} | {"many"}

if redis.call("EXISTS", KEYS[2]) == 1 then
  return { "known" }
end
if redis.call("SCARD", KEYS[1]) >= tonumber(ARGV[4]) then
  return { "many" }
end
local now = now_ms()
redis.call("HSET", KEYS[2], "doc", ARGV[2], "secret", ARGV[3], "created_at", string.format("%.0f", now))
redis.call("SADD", KEYS[1], ARGV[1])
return { "created", now }
