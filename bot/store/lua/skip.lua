-- skip: let a group of readers go past events that nobody in it wants. It never goes back, nor past what there is.
--
-- KEYS[1]  {ns}:events   stream
-- ARGV[1]  the group
-- ARGV[2]  to here: what happened before this is not wanted, Unix ms
-- Returns  {"skipped"} | {"ahead"} (it is there already) | {"gone"} (there is no such group)

local function number(id)
  local ms, n = string.match(id, "^(%d+)-(%d+)$")
  return tonumber(ms), tonumber(n)
end

if redis.call("EXISTS", KEYS[1]) == 0 then
  return { "gone" }
end
for _, group in ipairs(redis.call("XINFO", "GROUPS", KEYS[1])) do
  local about = {}
  for i = 1, #group, 2 do
    about[group[i]] = group[i + 1]
  end
  if about["name"] == ARGV[1] then
    local last = redis.call("XREVRANGE", KEYS[1], "(" .. ARGV[2] .. "-0", "-", "COUNT", 1)[1]
    local ms, n = number(about["last-delivered-id"])
    local to_ms, to_n = number(last and last[1] or "0-0")
    if to_ms < ms or (to_ms == ms and to_n <= n) then
      return { "ahead" }
    end
    redis.call("XGROUP", "SETID", KEYS[1], ARGV[1], last[1])
    return { "skipped" }
  end
end
return { "gone" }
