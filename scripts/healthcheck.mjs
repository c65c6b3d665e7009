// The container's health check: exits 0 when this container's server answers /healthz.

import { get as httpGet } from 'node:http'
import { get as httpsGet } from 'node:https'

/** Below the check's own timeout of 5 s. */
const TIMEOUT_MS = 4000

const { PORT, TLS_CERT_FILE } = process.env
const get = TLS_CERT_FILE ? httpsGet : httpGet
// The certificate is for the name that others call, not for this address.
const options = {
  host: '127.0.0.1',
  port: PORT || 8080,
  path: '/healthz',
  timeout: TIMEOUT_MS,
  rejectUnauthorized: false,
}

process.exitCode = 1
const request = get(options, (response) => {
  process.exitCode = response.statusCode === 200 ? 0 : 1
  response.resume()
})
request.on('timeout', () => request.destroy())
request.on('error', () => undefined)
