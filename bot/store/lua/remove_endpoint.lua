-- remove_endpoint: forget an endpoint and what waits for it; the callbacks themselves end with their lifetime.
--
-- KEYS[1]  {ns}:endpoints              set
-- KEYS[2]  {ns}:endpoint:<id>          hash
-- KEYS[3]  {ns}:endpoint:<id>:due      zset
-- KEYS[4]  {ns}:endpoint:<id>:leases   zset
-- KEYS[5]  {ns}:endpoint:<id>:dead     zset
-- ARGV[1]  endpoint id
-- Returns  {"removed"} | {"gone"}

if redis.call("SREM", KEYS[1], ARGV[1]) == 0 then
  return { "gone" }
end
redis.call("UNLINK", KEYS[2], KEYS[3], KEYS[4], KEYS[5])
return { "removed" }
