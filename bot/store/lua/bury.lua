-- bury: give up on an event of the outbox, and keep it with the reason where an operator finds it.
--
-- KEYS[1]  {ns}:cards:dead   stream  newest 10,000, kept 30 days after the last one
-- KEYS[2]  {ns}:events       stream
-- ARGV[1]  consumer group
-- ARGV[2]  id of the event
-- ARGV[3]  handoff id
-- ARGV[4]  what happened to the handoff
-- ARGV[5]  surface
-- ARGV[6]  how often it was delivered
-- ARGV[7]  reason
-- Returns  {"buried"} | {"gone"}

if redis.call("XACK", KEYS[2], ARGV[1], ARGV[2]) == 0 then
  return { "gone" }
end
redis.call("XADD", KEYS[1], "MAXLEN", "~", 10000, "*",
  "id", ARGV[2], "h", ARGV[3], "e", ARGV[4], "surface", ARGV[5], "n", ARGV[6], "reason", ARGV[7])
redis.call("PEXPIRE", KEYS[1], 30 * 24 * 3600 * 1000)
return { "buried" }
