-- admit: may one more card go to these people (or this place) within the hour? If so it is counted, once a handoff.
--
-- KEYS[…]  {ns}:asked:<who>  zset    handoff -> when its card was posted, Unix ms; kept an hour
-- ARGV[1]  handoff id
-- ARGV[2]  cards within the hour at most
-- ARGV[3]  an hour, ms
-- Returns  {"admitted"} | {"full"}

local now = now_ms()
for _, key in ipairs(KEYS) do
  redis.call("ZREMRANGEBYSCORE", key, "-inf", now - tonumber(ARGV[3]))
  if not redis.call("ZSCORE", key, ARGV[1]) and redis.call("ZCARD", key) >= tonumber(ARGV[2]) then
    return { "full" }
  end
end
for _, key in ipairs(KEYS) do
  redis.call("ZADD", key, "NX", now, ARGV[1])
  redis.call("PEXPIRE", key, ARGV[3])
end
return { "admitted" }
