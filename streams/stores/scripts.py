"""What Redis is asked to do, in its own language: one call for a thousand ids.

A story is a hash under `windage:{app}:{model}:{id}`; a row is one field, named by source, kind
(`p` or `l`) and place. Under `windage:{app}` stands for each source the last turn that was stored,
so that a Redis that was emptied, or that has come back with an older state, is recognised.
Keys of many slots are touched at once, so a Redis Cluster is not one of ours.
"""

from typing import Final

from streams.join.stories import LABEL_BYTES, PLACE_BYTES

FETCH: Final = """
local source = ARGV[1]
local turn = redis.call('HGET', KEYS[1], source) or '0'
local counts, told, named, answered = {}, {}, {}, {}
for i = 2, #KEYS do
  local story = redis.call('HGETALL', KEYS[i])
  local p, l = 0, 0
  for j = 1, #story, 2 do
    local field = story[j]
    if string.sub(field, 1, 8) == source then
      local row = string.sub(field, 10) .. story[j + 1]
      if string.sub(field, 9, 9) == 'p' then
        p = p + 1
        told[#told + 1] = row
      else
        l = l + 1
        named[#named + 1] = row .. string.rep('\\0', WIDTH - string.len(row))
      end
    end
  end
  answered[#answered + 1] = struct.pack('<I4I4', p, l)
end
return {turn, table.concat(answered), table.concat(told), table.concat(named)}
""".replace("WIDTH", str(PLACE_BYTES + LABEL_BYTES))
"""KEYS: the turns, stories. ARGV: source. Gives turn, counts of both kinds by story, rows.

Labels of an earlier form are shorter: zeros stand for what they do not have.
"""

PUT: Final = """
local ttl = ARGV[3]
for i = 2, #KEYS do
  redis.call('HSET', KEYS[i], ARGV[2 * i], ARGV[2 * i + 1])
  redis.call('PEXPIRE', KEYS[i], ttl)
end
local known = redis.call('HGET', KEYS[1], ARGV[1]) or '0'
if tonumber(ARGV[2]) > tonumber(known) then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
end
return known
"""
"""KEYS: the turns, a story for each row. ARGV: source, turn (0: not yet), ttl in ms, then field and
content of each row. Gives the last turn that was known before."""
