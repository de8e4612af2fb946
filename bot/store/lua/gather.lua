-- gather: show a handoff at a place in a digest and not on a card of its own, unless somebody began to post one.
--
-- KEYS[1]  {ns}:handoff:<id>:cards       hash    where its cards are
-- KEYS[2]  {ns}:gathered:<surface>:<place>  zset    handoffs that wait for room on a digest -> when they were opened, Unix ms
-- KEYS[3]  {ns}:handoff:<id>             hash    gathered: some place shows it in a digest
-- ARGV[1]  field that says that it is gathered
-- ARGV[2]  field of the beginning of a card of its own
-- ARGV[3]  handoff id
-- ARGV[4]  when it was opened, Unix ms
-- ARGV[5]  lifetime of what is kept, ms
-- Returns  {"gathered"} | {"posted"}

if redis.call("HEXISTS", KEYS[1], ARGV[2]) == 1 then
  return { "posted" }
end
if redis.call("HSETNX", KEYS[1], ARGV[1], "") == 1 then
  redis.call("ZADD", KEYS[2], ARGV[4], ARGV[3])
end
if redis.call("EXISTS", KEYS[3]) == 1 then
  redis.call("HSET", KEYS[3], "gathered", "1")
end
redis.call("PEXPIRE", KEYS[1], ARGV[5])
redis.call("PEXPIRE", KEYS[2], ARGV[5])
return { "gathered" }
