// The container's health check: exits 0 when this container's server answers /healthz.

/** Below the check's own timeout of 5 s. */
const TIMEOUT_MS = 4000

const secure = Boolean(process.env.TLS_CERT_FILE)
// The certificate is for the public name, not for loopback; nothing is sent and only the status is read.
if (secure) process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'

const url = `${secure ? 'https' : 'http'}://127.0.0.1:${process.env.PORT || 8080}/healthz`
const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) }).catch(() => undefined)
process.exitCode = response?.ok ? 0 : 1
