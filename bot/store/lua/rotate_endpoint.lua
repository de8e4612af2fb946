-- rotate_endpoint: give an endpoint a new secret; the one before signs too, for a while.
--
-- KEYS[1]  {ns}:endpoint:<id>   hash    secret, old_secret: sealed; old_until: Unix ms
-- ARGV[1]  the new secret, sealed
-- ARGV[2]  the one that stands, as the caller read it
-- ARGV[3]  for how long that one signs too, ms
-- Returns  {"rotated"} | {"moved"} (somebody else did so meanwhile) | {"gone"}

local secret = redis.call("HGET", KEYS[1], "secret")
if not secret then
  return { "gone" }
end
if secret == ARGV[1] then
  return { "rotated" }
end
if secret ~= ARGV[2] then
  return { "moved" }
end
redis.call("HSET", KEYS[1], "secret", ARGV[1], "old_secret", secret,
  "old_until", string.format("%.0f", now_ms() + tonumber(ARGV[3])))
return { "rotated" }
