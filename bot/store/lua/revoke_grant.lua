-- revoke_grant: end a grant before its time, at once: from here on no open and no claim finds it.
--
-- KEYS[1]  {ns}:agent:<agent>:grants   hash
-- KEYS[2]  {ns}:notices                stream  the console says who ended it
-- KEYS[3]  {ns}:events                 stream
-- ARGV[1]  grant id
-- ARGV[2]  agent
-- ARGV[3]  why, one word
-- ARGV[4]  why, a sentence
-- Returns  {"ended"} | {"gone"}

if end_grant(KEYS[1], KEYS[2], KEYS[3], now_ms(), ARGV[2], ARGV[1], ARGV[3], ARGV[4]) then
  return { "ended" }
end
return { "gone" }
