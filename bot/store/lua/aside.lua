-- aside: put a line below the card of a pending handoff, once: it was handed on, the agent was asked, or it replied.
-- Votes, revision and clock stay as they are.
--
-- KEYS[1]  {ns}:handoff:<id>           hash    asides: a line each; n:<kind>: how many there are
-- KEYS[2]  {ns}:events                 stream
-- KEYS[3]  {ns}:agent:<agent>:events   stream  told only of what is for the agent
-- KEYS[4]  {ns}:due                    zset
-- KEYS[5]  {ns}:brakes                 hash
-- KEYS[6]  {ns}:run:<id>               hash    its run
-- ARGV[1]  handoff id
-- ARGV[2]  id of the line, hexadecimal: the same one again gets the same reply
-- ARGV[3]  kind of the line, and name of its event
-- ARGV[4]  the line, JSON without its time
-- ARGV[5]  so many of this kind at most
-- ARGV[6]  whom the handoff is handed on to, or ""
-- ARGV[7]  "agent" when the agent is told, else ""
-- ARGV[8]  the agent that writes it, or "" for a person
-- Returns  {"put"} | {"put", "again"} | {"twice"} (handed on to them before) | {"many"} | {"held"} | {"lost"} | {"late"}
--          | {"gone"}

local held = is_held(KEYS[1], KEYS[4], KEYS[2], KEYS[3], KEYS[5], KEYS[6], ARGV[1])
local h = redis.call("HMGET", KEYS[1], "state", "rev", "due_at", "asides", "n:" .. ARGV[3], "added", "agent", "run")
if not h[1] or (ARGV[8] ~= "" and ARGV[8] ~= h[7]) then
  return { "gone" }
end
if h[4] and string.find(h[4], '"id":"' .. ARGV[2] .. '"', 1, true) then
  return { "put", "again" }
end
if held and ARGV[8] == "" then
  return { "held" }
end
if h[1] ~= "pending" and h[1] ~= "held" then
  return { "lost" }
end
local now = now_ms()
if h[1] == "pending" and now >= tonumber(h[3]) then
  return { "late" }
end
if ARGV[6] ~= "" and h[6] and string.find("\n" .. h[6] .. "\n", "\n" .. ARGV[6] .. "\n", 1, true) then
  return { "twice" }
end
if (tonumber(h[5]) or 0) >= tonumber(ARGV[5]) then
  return { "many" }
end
if ARGV[6] ~= "" then
  redis.call("HSET", KEYS[1], "added", h[6] and h[6] .. "\n" .. ARGV[6] or ARGV[6])
end
local line = string.format("%.0f", now) .. " " .. ARGV[4]
redis.call("HSET", KEYS[1], "asides", h[4] and h[4] .. "\n" .. line or line)
redis.call("HINCRBY", KEYS[1], "n:" .. ARGV[3], 1)
local agents = nil
if ARGV[7] == "agent" then
  agents = KEYS[3]
end
tell(KEYS[2], agents, now, ARGV[3], ARGV[1], h[7], h[8], h[2], ARGV[2])
return { "put" }
