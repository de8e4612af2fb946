-- heard: the agent has read people's words. A steer that holds its run ends with that.
--
-- KEYS[1]  {ns}:run:<id>           hash
-- KEYS[2]  {ns}:run:<id>:steers    list
-- KEYS[3]  {ns}:brakes             hash
-- KEYS[4]  {ns}:brakes:lifted      hash
-- KEYS[5]  {ns}:brakes:told        stream
-- KEYS[6]  {ns}:events             stream
-- KEYS[7]  {ns}:brakes:order:<id>  string  the record that this call lifted; kept 48 h, for when its reply was lost
-- ARGV[1]  run id
-- ARGV[2]  agent
-- ARGV[3]  ids of the steers, with a space around each
-- Returns  {"lifted", <the record that was>} | {"noted"} | {"gone"}

if redis.call("HGET", KEYS[1], "agent") ~= ARGV[2] then
  return { "gone" }
end
local before = redis.call("GET", KEYS[7])
if before then
  return { "lifted", before }
end
local function heard(packed)
  return string.find(ARGV[3], " " .. packed .. " ", 1, true) ~= nil
end
for _, packed in ipairs(redis.call("LRANGE", KEYS[2], 0, -1)) do
  if heard(cjson.decode(string.match(packed, "^%d+ (.*)$")).id) then
    redis.call("LREM", KEYS[2], 1, packed)
  end
end
local scope = "run:" .. ARGV[1]
local stands = redis.call("HGET", KEYS[3], "?" .. scope)
if not stands then
  return { "noted" }
end
local _, on, _, _, own = string.match(stands, "^(%d+) (%d+) (%d+) (%l+) (.*)$")
if not heard(cjson.decode(own).steer) then
  return { "noted" }
end
local now = now_ms()
redis.call("HDEL", KEYS[3], "?" .. scope)
remember_stop(KEYS[4], scope, on, now)
local entry = tell(KEYS[6], nil, now, "lifted", "", " " .. ARGV[2] .. " ", ARGV[1], "0", stands)
redis.call("XADD", KEYS[5], "MINID", "~", string.format("%.0f", now - EVENTS_KEPT_MS), entry,
  "e", "lifted", "h", "", "a", " " .. ARGV[2] .. " ", "r", ARGV[1], "v", "0", "k", stands)
redis.call("PEXPIRE", KEYS[5], EVENTS_KEPT_MS)
redis.call("SET", KEYS[7], stands, "PX", 48 * 3600 * 1000)
return { "lifted", stands }
