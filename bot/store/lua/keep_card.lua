-- keep_card: remember where a card was posted, or why a place refused it.
--
-- KEYS[1]  {ns}:handoff:<id>:cards   hash    where its cards are
-- KEYS[2]  {ns}:handoff:<id>         hash    shown_at: since when a card is known to be somewhere, Unix ms
-- ARGV[1]  field
-- ARGV[2]  value
-- ARGV[3]  lifetime of what is kept, ms
-- ARGV[4]  "shown" when that is a card of its own; else ""
-- Returns  {"kept"}

redis.call("HSET", KEYS[1], ARGV[1], ARGV[2])
redis.call("PEXPIRE", KEYS[1], ARGV[3])
if ARGV[4] == "shown" and redis.call("EXISTS", KEYS[2]) == 1 then
  redis.call("HSETNX", KEYS[2], "shown_at", string.format("%.0f", now_ms()))
end
return { "kept" }
