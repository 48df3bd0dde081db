-- Sends the request that environment variables describe, and prints the latencies as one line of JSON.
wrk.headers["X-API-Key"] = os.getenv("BENCH_KEY")
local body = os.getenv("BENCH_BODY")
if body and body ~= "" then
  wrk.method = "POST"
  wrk.body = body
  wrk.headers["Content-Type"] = "application/json"
end

local idempotency = os.getenv("BENCH_IDEMPOTENCY")
if idempotency == "same" then
  wrk.headers["Idempotency-Key"] = "always-the-same"
elseif idempotency == "new" then
  local count = 0
  function request()
    count = count + 1
    wrk.headers["Idempotency-Key"] = "request-" .. count
    return wrk.format()
  end
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    'JSON {"requests": %d, "seconds": %f, "p50_ms": %f, "p99_ms": %f, "failed": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
