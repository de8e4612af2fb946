-- admit: may one more card go to these people (or this place) within the hour? If so it is counted, once a handoff.
--
-- KEYS[1]  {ns}:asked:<who>  zset    handoff -> when its card was posted, Unix ms; kept an hour. As many as there are people
-- ARGV[1]  handoff id
-- ARGV[2]  cards within the hour at most
-- ARGV[3]  an hour, ms
-- Returns  {"admitted"} | {"full"}

local now = now_ms()
for i = 1, #KEYS do
  redis.call("ZREMRANGEBYSCORE", KEYS[i], "-inf", now - tonumber(ARGV[3]))
  if not redis.call("ZSCORE", KEYS[i], ARGV[1]) and redis.call("ZCARD", KEYS[i]) >= tonumber(ARGV[2]) then
    return { "full" }
  end
end
for i = 1, #KEYS do
  redis.call("ZADD", KEYS[i], "NX", now, ARGV[1])
  redis.call("PEXPIRE", KEYS[i], ARGV[3])
end
return { "admitted" }
