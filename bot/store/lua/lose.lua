-- lose: note that a run broke its promise and is lost, and tell people; once.
--
-- KEYS[1]  {ns}:run:<id>              hash    as `beat` has it
-- KEYS[2]  {ns}:beats                 zset    run -> when it is lost, Unix ms
-- KEYS[3]  {ns}:beats:watch           hash
-- KEYS[4]  {ns}:events                stream
-- KEYS[5]  {ns}:agent:<agent>:events  stream
-- KEYS[6]  {ns}:notices               stream
-- ARGV[1]  run id
-- ARGV[2]  agent
-- ARGV[3]  when it was due, as the caller read it: a sign of life that came since has moved that
-- ARGV[4]  a gap, as `watch` has it, ms
-- ARGV[5]  what people are told, JSON
-- Returns  {"lost"} | {"early"} | {"over"} (it promises nothing any more, or is gone)

local r = redis.call("HMGET", KEYS[1], "patience", "beat_at")
local due = tonumber(redis.call("ZSCORE", KEYS[2], ARGV[1]))
if not r[1] or not due then
  redis.call("ZREM", KEYS[2], ARGV[1])
  return { "over" }
end
local now, patience = now_ms(), tonumber(r[1])
if due ~= tonumber(ARGV[3]) or now < due then
  return { "early" }
end
local fair = watched_since(KEYS[3], now, tonumber(ARGV[4])) + patience
if now < fair then
  redis.call("ZADD", KEYS[2], fair, ARGV[1])
  return { "early" }
end
redis.call("HSET", KEYS[1], "silent_at", r[2])
redis.call("ZREM", KEYS[2], ARGV[1])
tell(KEYS[4], KEYS[5], now, "lost", "", ARGV[2], ARGV[1], "0", "")
notify(KEYS[6], KEYS[4], now, ARGV[2], ARGV[1], ARGV[5])
return { "lost" }
