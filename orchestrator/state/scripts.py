"""The steps of `desk.py` in Lua, as Redis runs them: each is atomic, and every key has the namespace's hash tag.

The first key is the start of all names. The moment is Redis' own unless one is given, as clocks of machines differ.
"""

from __future__ import annotations

from typing import Final

__all__ = ["DRAW_FLOW", "DRAW_USD", "EXCHANGE"]

_START: Final = """
local start, told = KEYS[1], cjson.decode(ARGV[1])
local now = told.now
if not now then
  local time = redis.call('TIME')
  now = tonumber(time[1]) + tonumber(time[2]) / 1e6
end
local function exact(number) return string.format('%.17g', number) end
"""

EXCHANGE: Final = f"""{_START}
local meta, versions, notes = start .. 'meta', start .. 'versions', start .. 'notes'
redis.call('HSETNX', meta, 'era', told.newborn)
local era, since, fresh = redis.call('HGET', meta, 'era'), 0, false
if told.era == '' or told.era == era then
  local seen = start .. 'seen:' .. told.process
  fresh = told.sequence > tonumber(redis.call('GET', seen) or 0)
  if fresh then
    redis.call('SET', seen, told.sequence, 'EX', 86400)
    if next(told.added) then
      local version = redis.call('HINCRBY', meta, 'version', 1)
      for record, news in pairs(told.added) do
        local sums = start .. 'sums:' .. record
        for name, number in pairs(news.fields) do redis.call('HINCRBYFLOAT', sums, name, exact(number)) end
        redis.call('EXPIRE', sums, news.life_s)
        redis.call('ZADD', versions, version, record)
      end
    end
    for name, amount in pairs(told.returned) do
      local flow = start .. 'flows:' .. name
      local known = redis.call('HMGET', flow, 'level', 'capacity')
      if known[1] then
        redis.call('HSET', flow, 'level', exact(math.min(tonumber(known[2]), tonumber(known[1]) + amount)))
      end
    end
    for name, level in pairs(told.lowered) do
      local flow = start .. 'flows:' .. name
      local known = redis.call('HGET', flow, 'level')
      if known and level < tonumber(known) then redis.call('HSET', flow, 'level', exact(level)) end
    end
  end
  for account, released in pairs(told.released) do
    local drawn = start .. 'drawn:' .. account
    local usd, ends = string.match(redis.call('HGET', drawn, told.drawer) or '0 0', '^(%S+) (%S+)$')
    if tonumber(ends) > now then
      local rest = math.max(0, tonumber(usd) - (fresh and released or 0))
      redis.call('HSET', drawn, told.drawer, exact(rest) .. ' ' .. exact(now + told.drawn_life_s))
      redis.call('EXPIRE', drawn, math.ceil(told.drawn_life_s))
    end
  end
  redis.call('HSET', notes, told.process, exact(now + told.note_life_s) .. ' ' .. told.note)
  if told.era == era then since = told.since end
end
local totals, standing = {{}}, {{}}
for _, record in ipairs(redis.call('ZRANGEBYSCORE', versions, '(' .. since, '+inf')) do
  local sums = redis.call('HGETALL', start .. 'sums:' .. record)
  if #sums > 0 then table.insert(totals, {{record, sums}}) else redis.call('ZREM', versions, record) end
end
local noted = redis.call('HGETALL', notes)
for place = 1, #noted, 2 do
  local ends, text = string.match(noted[place + 1], '^(%S+) (.*)$')
  if tonumber(ends) > now then
    table.insert(standing, {{noted[place], text}})
  else
    redis.call('HDEL', notes, noted[place])
  end
end
return {{era, tonumber(redis.call('HGET', meta, 'version') or 0), totals, standing}}
"""

DRAW_USD: Final = f"""{_START}
local left, mine = {{}}, {{}}
for place, limit in ipairs(told.limits) do
  local spent = redis.call('HGET', start .. 'sums:money:' .. limit[1], 'spent_usd')
  local drawn = start .. 'drawn:' .. limit[1]
  local rest, held = limit[2] - tonumber(spent or 0), redis.call('HGETALL', drawn)
  mine[place] = 0
  for at = 1, #held, 2 do
    local usd, ends = string.match(held[at + 1], '^(%S+) (%S+)$')
    if tonumber(ends) > now then
      rest = rest - tonumber(usd)
      if held[at] == told.process then mine[place] = tonumber(usd) end
    else
      redis.call('HDEL', drawn, held[at])
    end
  end
  left[place] = rest
end
local amounts, levels, refused = {{}}, {{}}, ''
for place, rest in ipairs(left) do
  levels[place] = exact(rest)
  if refused == '' and told.limits[place][3] > rest + 1e-12 then refused = told.limits[place][1] end
end
if refused ~= '' then return {{refused, {{}}, levels}} end
for place, rest in ipairs(left) do
  local limit = told.limits[place]
  local usd, drawn = math.max(limit[3], math.min(limit[4], rest / 8)), start .. 'drawn:' .. limit[1]
  redis.call('HSET', drawn, told.process, exact(mine[place] + usd) .. ' ' .. exact(now + told.drawn_life_s))
  redis.call('EXPIRE', drawn, math.ceil(told.drawn_life_s))
  amounts[place], levels[place] = exact(usd), exact(rest - usd)
end
return {{'', amounts, levels}}
"""

DRAW_FLOW: Final = f"""{_START}
local rows, wait = {{}}, 0
for place, flow in ipairs(told.flows) do
  local name, per_minute, capacity, needed = start .. 'flows:' .. flow[1], flow[2], flow[3], flow[4]
  local known = redis.call('HMGET', name, 'level', 'at')
  local level = tonumber(known[1] or capacity) + math.max(0, now - tonumber(known[2] or now)) * per_minute / 60
  level = math.min(capacity, level)
  redis.call('HSET', name, 'level', exact(level), 'at', exact(now), 'capacity', exact(capacity))
  redis.call('EXPIRE', name, 86400)
  if needed - level > 1e-9 * capacity then wait = math.max(wait, (needed - level) / (per_minute / 60)) end
  rows[place] = {{name, level, needed, flow[5]}}
end
local amounts, levels = {{}}, {{}}
for place, row in ipairs(rows) do
  local amount = wait > 0 and 0 or math.max(row[3], math.min(row[4], row[2] / 8))
  amounts[place], levels[place] = exact(amount), exact(row[2] - amount)
  if wait == 0 then redis.call('HSET', row[1], 'level', levels[place]) end
end
return {{exact(wait), amounts, levels}}
"""
