-- begin_card: take the right to post a card at a place, for a while, so that two processes do not both post it.
--
-- KEYS[1]  {ns}:handoff:<id>:cards   hash    where its cards are
-- ARGV[1]  field of the place's beginning
-- ARGV[2]  who takes it; the same one again renews it
-- ARGV[3]  for how long, ms; 0 gives it back
-- ARGV[4]  lifetime of what is kept, ms
-- ARGV[5]  field that says that it is gathered in a digest there
-- Returns  {"first"} | {"again"} (somebody began before, and may have posted it) | {"busy", <ms left>}
--          | {"gathered"}

if redis.call("HEXISTS", KEYS[1], ARGV[5]) == 1 then
  return { "gathered" }
end
local now = now_ms()
local known = redis.call("HGET", KEYS[1], ARGV[1])
if known then
  local who, ends = string.match(known, "^(%S+) (%d+)$")
  if who ~= ARGV[2] and tonumber(ends) > now then
    return { "busy", tonumber(ends) - now }
  end
end
redis.call("HSET", KEYS[1], ARGV[1], ARGV[2] .. " " .. string.format("%.0f", now + tonumber(ARGV[3])))
redis.call("PEXPIRE", KEYS[1], ARGV[4])
if known then
  return { "again" }
end
return { "first" }
