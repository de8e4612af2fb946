-- fill_digest: put what waits at a place onto its digest, as far as there is room; or begin the next one.
--
-- KEYS[1]  {ns}:gathered:<surface>:<place>      zset    handoffs that wait for room -> when they were opened, Unix ms
-- KEYS[2]  {ns}:gathered:<surface>:<place>:now  string  id of the place's digest
-- KEYS[3]  {ns}:digest:<id>   hash    rows: the handoffs on it, a line each
-- KEYS[4]  {ns}:digest:<new>  hash    of the next one
-- ARGV[1]  id of the digest that KEYS[3] is, or "" when there is none
-- ARGV[2]  "ended" when all that is on it has ended, so that the next one may begin; else ""
-- ARGV[3]  id of the next one
-- ARGV[4]  rows of a digest at most
-- ARGV[5]  lifetime of what is kept, ms
-- Returns  {"filled", <id>, <rows>, <how many wait>} | {"moved"} (it is another one by now) | {"nothing"}

local current = redis.call("GET", KEYS[2]) or ""
if current ~= ARGV[1] then
  return { "moved" }
end
local begins = current == "" or ARGV[2] == "ended"
if begins and redis.call("ZCARD", KEYS[1]) == 0 then
  return { "nothing" }
end
local id, rows = ARGV[3], ""
if not begins then
  id, rows = current, redis.call("HGET", KEYS[3], "rows") or ""
end
local _, count = string.gsub(rows, "[^\n]+", "")
local room = tonumber(ARGV[4]) - count
if room > 0 then
  local found = redis.call("ZPOPMIN", KEYS[1], room)
  for i = 1, #found, 2 do
    rows = rows == "" and found[i] or rows .. "\n" .. found[i]
  end
end
if begins then
  redis.call("HSET", KEYS[4], "rows", rows)
  redis.call("PEXPIRE", KEYS[4], ARGV[5])
else
  redis.call("HSET", KEYS[3], "rows", rows)
  redis.call("PEXPIRE", KEYS[3], ARGV[5])
end
redis.call("SET", KEYS[2], id, "PX", ARGV[5])
return { "filled", id, rows, redis.call("ZCARD", KEYS[1]) }
