-- turn: take the next turn in a queue where turns come at a steady pace; every process shares it.
--
-- KEYS[1]  {ns}:turn:<surface>:<queue>  string  when the turn after the last one taken is due, Unix ms, and kept until a
--                                             second after that
-- ARGV[1]  ms between turns
-- ARGV[2]  turns that may be taken at once after a rest
-- ARGV[3]  the longest wait that is worth a turn, ms; no turn is taken for a longer one
-- Returns  {"turn", <ms to wait>} | {"long", <ms to wait>}

local now = now_ms()
local every = tonumber(ARGV[1])
local due = math.max(tonumber(redis.call("GET", KEYS[1])) or 0, now)
local wait = math.max(0, due - now - every * (tonumber(ARGV[2]) - 1))
if wait > tonumber(ARGV[3]) then
  return { "long", wait }
end
redis.call("SET", KEYS[1], string.format("%.0f", due + every), "PX", math.ceil(due + every - now + 1000))
return { "turn", wait }
