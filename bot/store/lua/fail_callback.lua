-- fail_callback: a try failed: the next one is later, or the callback is given up. Too long a row of failures switches
-- the endpoint off.
--
-- KEYS[1]  {ns}:callback:<id>          hash    error: what the last try met; failed_by: who had it then; ended: "dead" once it
--                                              is given up
-- KEYS[2]  {ns}:endpoint:<id>:due      zset
-- KEYS[3]  {ns}:endpoint:<id>:leases   zset
-- KEYS[4]  {ns}:endpoint:<id>:dead     zset    the newest 10,000, 30 days
-- KEYS[5]  {ns}:endpoint:<id>          hash    failed: count; failing_since, off_at: Unix ms; error; off; off_by: who switched it off
-- ARGV[1]  callback id
-- ARGV[2]  who has it
-- ARGV[3]  what the try met
-- ARGV[4]  ms until the next one, or "" to give it up
-- ARGV[5]  "failed"; "idle" when nothing was tried
-- ARGV[6]  why the endpoint is switched off for that, or ""
-- ARGV[7]  why it is switched off when it has failed for too long
-- ARGV[8]  after how long that is, ms
-- ARGV[9]  and only by a callback that was tried so often
-- ARGV[10] lifetime, ms
-- Returns  {"later", <"off" or "">} | {"dead", <"off" or "">} | {"lost"}

local h = redis.call("HMGET", KEYS[1], "lease", "failed_by", "ended")
if h[2] == ARGV[2] then  -- told before, and the reply was lost
  local off = redis.call("HGET", KEYS[5], "off_by") == ARGV[2] and "off" or ""
  if h[3] == "dead" then
    return { "dead", off }
  end
  return { "later", off }
end
if h[1] ~= ARGV[2] then
  return { "lost" }
end
local now = now_ms()
local at = string.format("%.0f", now)
redis.call("HDEL", KEYS[1], "lease", "leased_until")
redis.call("HSET", KEYS[1], "failed_by", ARGV[2])
redis.call("ZREM", KEYS[3], ARGV[1])
if redis.call("EXISTS", KEYS[5]) == 0 then
  redis.call("UNLINK", KEYS[1])
  redis.call("ZREM", KEYS[2], ARGV[1])
  return { "lost" }
end
local switched = ""
local why = ARGV[6]
if ARGV[5] == "idle" then
  redis.call("HINCRBY", KEYS[1], "n", -1)
else
  redis.call("HINCRBY", KEYS[5], "failed", 1)
  redis.call("HSETNX", KEYS[5], "failing_since", at)
  redis.call("HSET", KEYS[5], "error", ARGV[3])
  local since = tonumber(redis.call("HGET", KEYS[5], "failing_since"))
  local tries = tonumber(redis.call("HGET", KEYS[1], "n"))
  if why == "" and now - since >= tonumber(ARGV[8]) and tries >= tonumber(ARGV[9]) then
    why = ARGV[7]
  end
  if why ~= "" and redis.call("HEXISTS", KEYS[5], "off") == 0 then
    redis.call("HSET", KEYS[5], "off", why, "off_at", at, "off_by", ARGV[2])
    switched = "off"
  end
end
redis.call("PEXPIRE", KEYS[1], ARGV[10])
if ARGV[4] ~= "" then
  redis.call("ZADD", KEYS[2], string.format("%.0f", now + tonumber(ARGV[4])), ARGV[1])
  if ARGV[5] == "failed" then
    redis.call("HSET", KEYS[1], "error", ARGV[3])
  end
  return { "later", switched }
end
redis.call("HSET", KEYS[1], "error", ARGV[3], "ended", "dead")
redis.call("ZREM", KEYS[2], ARGV[1])
redis.call("ZADD", KEYS[4], at, ARGV[1])
redis.call("ZREMRANGEBYSCORE", KEYS[4], "-inf", now - tonumber(ARGV[10]))
redis.call("ZREMRANGEBYRANK", KEYS[4], 0, -10001)
redis.call("PEXPIRE", KEYS[4], ARGV[10])
return { "dead", switched }
