-- revise: give a pending handoff other arguments, a new digest, and no votes but perhaps the editor's.
--
-- KEYS[1]  {ns}:handoff:<id>           hash
-- KEYS[2]  {ns}:events                 stream
-- KEYS[3]  {ns}:agent:<agent>:events   stream
-- KEYS[4]  {ns}:due                    zset
-- KEYS[5]  {ns}:brakes                 hash
-- KEYS[6]  {ns}:run:<id>               hash    its run
-- ARGV[1]  handoff id
-- ARGV[2]  answer id: the same one again gets the same reply
-- ARGV[3]  revision that was read
-- ARGV[4]  digest of the next revision
-- ARGV[5]  all revisions, JSON
-- ARGV[6]  hash of the answer id
-- ARGV[7]  the editor's vote, JSON without its time, or ""
-- ARGV[8]  how risky that revision is, JSON, or ""
-- Returns  {"won", <revision>} | {"lost"} | {"stale", <revision>} | {"held"} | {"late"} | {"gone"}

local held = is_held(KEYS[1], KEYS[4], KEYS[2], KEYS[3], KEYS[5], KEYS[6], ARGV[1])
local h = redis.call("HMGET", KEYS[1], "state", "rev", "due_at", "revise_id", "agent", "run")
if not h[1] then
  return { "gone" }
end
if h[4] == ARGV[2] then
  return { "won", h[2] }
end
if held then
  return { "held" }
end
if h[1] ~= "pending" then
  return { "lost" }
end
local now = now_ms()
if now >= tonumber(h[3]) then
  return { "late" }
end
if h[2] ~= ARGV[3] then
  return { "stale", h[2] }
end
local revision = string.format("%.0f", tonumber(h[2]) + 1)
redis.call("HSET", KEYS[1], "rev", revision, "digest", ARGV[4], "revisions", ARGV[5], "revise_id", ARGV[2])
if ARGV[8] ~= "" then
  redis.call("HSET", KEYS[1], "risk", ARGV[8])
end
if ARGV[7] == "" then
  redis.call("HDEL", KEYS[1], "votes", "vote_n")
else
  redis.call("HSET", KEYS[1], "votes", vote_line(ARGV[6], now, ARGV[7]), "vote_n", "1")
end
tell(KEYS[2], KEYS[3], now, "revised", ARGV[1], h[5], h[6], revision, "")
return { "won", revision }
