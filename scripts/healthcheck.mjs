// The container's health check: exits 0 when this container's server answers /healthz.

/** Below the check's own timeout of 5 s. */
const TIMEOUT_MS = 4000

const url = `http://127.0.0.1:${process.env.PORT || 8080}/healthz`
const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) }).catch(() => undefined)
process.exitCode = response?.ok ? 0 : 1
