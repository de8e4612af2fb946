-- try_code: let a person go on who typed the card's number; make them wait after too many wrong ones.
--
-- KEYS[1]  {ns}:handoff:<id>:tries:<person>:<revision>   string   wrong ones so far; kept for the wait
-- ARGV[1]  "right" or "wrong"
-- ARGV[2]  wrong ones after which they wait
-- ARGV[3]  how long they wait after the last one, ms
-- Returns  {"right"} | {"wrong", <tries left>} | {"wait", <ms>}

local wrong = tonumber(redis.call("GET", KEYS[1])) or 0
if wrong >= tonumber(ARGV[2]) then
  return { "wait", math.max(1, redis.call("PTTL", KEYS[1])) }
end
if ARGV[1] == "right" then
  return { "right" }
end
redis.call("SET", KEYS[1], string.format("%.0f", wrong + 1), "PX", ARGV[3])
return { "wrong", tonumber(ARGV[2]) - wrong - 1 }
