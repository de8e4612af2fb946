-- keep_card: remember where a card was posted, or why a place refused it.
--
-- KEYS[1]  {ns}:handoff:<id>:cards   hash    where its cards are
-- ARGV[1]  field
-- ARGV[2]  value
-- ARGV[3]  lifetime of what is kept, ms
-- Returns  {"kept"}

redis.call("HSET", KEYS[1], ARGV[1], ARGV[2])
redis.call("PEXPIRE", KEYS[1], ARGV[3])
return { "kept" }
