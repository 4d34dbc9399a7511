-- Counts one request in an exact sliding window.
--   KEYS[1]  list of the times, in µs of this server's clock, of the requests that were
--            let through in the window, oldest first
--   ARGV     limit, window in µs
-- Gives {allowed 0 or 1, counted requests, µs until the oldest of them leaves}. Refused
-- requests are not counted: who keeps asking gets in as the window moves on.
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local limit, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local oldest = redis.call('LINDEX', KEYS[1], 0)
while oldest and tonumber(oldest) <= now - window do
  redis.call('LPOP', KEYS[1])
  oldest = redis.call('LINDEX', KEYS[1], 0)
end
local counted, allowed = redis.call('LLEN', KEYS[1]), 0
if counted < limit then
  -- '%.0f': the usual conversion keeps 14 digits only.
  redis.call('RPUSH', KEYS[1], string.format('%.0f', now))
  redis.call('PEXPIRE', KEYS[1], math.ceil(window / 1000))
  counted, allowed = counted + 1, 1
end
return {allowed, counted, (tonumber(oldest or now) + window) - now}
