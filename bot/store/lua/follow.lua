-- follow: bring one shard's copy of a brake wider than a run in line with the others'. The later number wins, and what was
-- lifted stays lifted: so copies come to agree in whichever order they hear of pulls and lifts, and again changes nothing.
--
-- KEYS[1]  {ns}:brakes         hash
-- KEYS[2]  {ns}:brakes:epoch   string  raised to the numbers that are met here
-- KEYS[3]  {ns}:brakes:lifted  hash    `upto <scope>` -> "<number> <when, Unix ms>": up to this number it was lifted
-- KEYS[4]  {ns}:brakes:told    stream
-- KEYS[5]  {ns}:events         stream
-- ARGV[1]  scope
-- ARGV[2]  record that stands elsewhere, or ""
-- ARGV[3]  record of an abort of it, or ""
-- ARGV[4]  the number up to which it was lifted, or 0
-- ARGV[5]  agents who are told, with a space around each, or " * " for all
-- Returns  {"stands", <record or "">, <record of the abort or "">}: what stands here now

local now = now_ms()
local scope = ARGV[1]

local function number(record)
  return tonumber(string.match(record or "", "^%d+ %d+ (%d+) ")) or 0
end

local function announce(event, record)
  local entry = tell(KEYS[5], nil, now, event, "", ARGV[5], "", "0", record)
  local oldest = string.format("%.0f", now - EVENTS_KEPT_MS)
  redis.call("XADD", KEYS[4], "MINID", "~", oldest, entry, "e", event, "h", "", "a", ARGV[5], "r", "", "v", "0", "k", record)
  redis.call("PEXPIRE", KEYS[4], EVENTS_KEPT_MS)
end

-- is_later: of one number, and another text, one wins all the same: copies must come to agree.
local function is_later(one, other)
  return number(one) > number(other) or (number(one) == number(other) and one > (other or ""))
end

local stands, ended = unpack(redis.call("HMGET", KEYS[1], scope, "!" .. scope))
local was = tonumber(string.match(redis.call("HGET", KEYS[3], "upto " .. scope) or "", "^%d+")) or 0
local upto = math.max(was, tonumber(ARGV[4]))
if upto > was then
  redis.call("HSET", KEYS[3], "upto " .. scope, string.format("%.0f %.0f", upto, now))
  redis.call("PEXPIRE", KEYS[3], 30 * 24 * 3600 * 1000)
end
if stands and number(stands) <= upto then
  redis.call("HDEL", KEYS[1], scope)
  remember_stop(KEYS[3], scope, string.match(stands, "^%d+ (%d+) "), now)
  announce("lifted", stands)
  stands = false
end
if number(ARGV[2]) > upto and is_later(ARGV[2], stands) then
  redis.call("HSET", KEYS[1], scope, ARGV[2])
  announce("braked", ARGV[2])
  stands = ARGV[2]
end
if ARGV[3] ~= "" and is_later(ARGV[3], ended) then
  redis.call("HSET", KEYS[1], "!" .. scope, ARGV[3])
  announce("braked", ARGV[3])
  ended = ARGV[3]
end
-- Written whether it changes or not: who waits until replicas have it then waits for whatever was written here before.
local highest = math.max(upto, number(ARGV[2]), number(ARGV[3]), tonumber(redis.call("GET", KEYS[2])) or 0)
redis.call("SET", KEYS[2], string.format("%.0f", highest))
return { "stands", stands or "", ended or "" }
