-- claim: exchange a decision for the one permit to act on it.
--
-- KEYS[1]  {ns}:handoff:<id>           hash
-- KEYS[2]  {ns}:events                 stream
-- KEYS[3]  {ns}:agent:<agent>:events   stream
-- KEYS[4]  {ns}:agent:<agent>:grants   hash
-- KEYS[5]  {ns}:unreported             zset    id -> when its outcome is overdue, Unix ms
-- KEYS[6]  {ns}:agent:<agent>:drawn    hash    tool -> what was drawn in a sample and is owed
-- KEYS[7]  {ns}:brakes                 hash
-- KEYS[8]  {ns}:run:<id>               hash    its run
-- KEYS[9]  {ns}:brakes:lifted          hash
-- KEYS[10] {ns}:undelivered            zset
-- KEYS[11] {ns}:leases                 zset    id -> when nobody has vouched for it for too long, Unix ms
-- ARGV[1]  handoff id
-- ARGV[2]  agent
-- ARGV[3]  digest that it means to act on
-- ARGV[4]  claimant: the same one again gets the same permit
-- ARGV[5]  how old the decision may be, ms
-- ARGV[6]  "known" when the caller has the bytes with that digest, else ""
-- ARGV[7]  how long what is to be reviewed may stay unreported, ms
-- Returns  {"permit", <claimed ms>, <revision>, <payload or "">, <doc or "">} | {"open"} | {"refused", <kind>}
--          | {"digest", <allowed>} | {"taken", <claimant>, <claimed ms>} | {"closed"} | {"old", <decided ms>} | {"gone"}
--          | {"unknown", <claimant>, <claimed ms>, <question>, <who is asked>} (it fell silent; not even the same one acts again)
--          | {"braked", <record>} (somebody stopped its run) | {"no_grant"} (the grant that decided it has ended)
--          | {"done"} (it is about what was done before it was asked)

-- permit: the decision's own bytes, or the ask they stand in; neither when the caller has them
local function permit(at, revision)
  if ARGV[6] == "known" then
    return { "permit", at, revision, "", "" }
  end
  local bytes = redis.call("HMGET", KEYS[1], "payload", "doc")
  return { "permit", at, revision, bytes[1], bytes[2] }
end

local h = redis.call("HMGET", KEYS[1], "state", "agent", "allowed", "kind", "decided_at", "claimant", "claimed_at",
  "run", "rev", "uses_grant", "watch", "timing", "drawn", "question", "asked", "outdated")
if not h[1] or h[2] ~= ARGV[2] then
  return { "gone" }
end
if h[1] == "pending" then
  return { "open" }
end
if h[1] == "held" then
  return { "open" }
end
if h[12] == "after" then
  return { "done" }
end
if h[3] == "" then
  return { "refused", h[4] }
end
if h[3] ~= ARGV[3] then
  return { "digest", h[3] }
end
if h[1] == "closed" then
  return { "closed" }
end
-- Before the same permit is given again, too: whoever lost the reply has not acted yet.
local _, record = brake_on(KEYS[7], KEYS[8], h[8], ARGV[2])
if record then
  return { "braked", record }
end
if h[1] == "claimed" and h[14] then
  return { "unknown", h[6], h[7], h[14], h[15] or "" }
end
if h[1] == "claimed" then
  if h[6] == ARGV[4] then
    return permit(h[7], h[9])
  end
  return { "taken", h[6], h[7] }
end
local now = now_ms()
local decided = tonumber(h[5])
local age = now - decided
if h[16] then  -- the store was restored since: somebody may have acted on it after the backup was made
  return { "old", h[5] }
end
if age > tonumber(ARGV[5]) and age - stopped_ms(KEYS[9], KEYS[8], h[8], ARGV[2], decided, now) > tonumber(ARGV[5]) then
  return { "old", h[5] }
end
if h[10] and not stands(KEYS[4], h[10], now) then
  return { "no_grant" }
end
redis.call("HSET", KEYS[1], "state", "claimed", "claimant", ARGV[4], "claimed_at", string.format("%.0f", now))
redis.call("ZREM", KEYS[10], ARGV[1])
local promise = redis.call("HMGET", KEYS[8], "patience", "over")
if promise[1] and not promise[2] then
  redis.call("ZADD", KEYS[11], now + tonumber(promise[1]), ARGV[1])
  redis.call("PEXPIRE", KEYS[11], 31 * 24 * 3600 * 1000)
end
if h[11] then
  redis.call("ZADD", KEYS[5], now + tonumber(ARGV[7]), ARGV[1])
end
if h[13] then
  redis.call("HDEL", KEYS[6], h[13])
end
tell(KEYS[2], KEYS[3], now, "claimed", ARGV[1], ARGV[2], h[8], h[9], h[4])
return permit(now, h[9])
