/** The name of the server is not known, or nobody could be asked. */
const UNRESOLVED = new Set(['ENOTFOUND', 'EAI_AGAIN', 'EAI_FAIL', 'EAI_NODATA'])
/** Node's codes for what is wrong with a certificate: `CERT_HAS_EXPIRED`, `UNABLE_TO_VERIFY_LEAF_SIGNATURE`. */
const DISTRUSTED = /CERT|^UNABLE_TO_|HOSTNAME_MISMATCH/
/** Of OpenSSL: no TLS came back, or TLS that is not ours. */
const NO_TLS = /^EPROTO$|^ERR_SSL_/

/** Why there is no connection to `place`: a few words without user, key or query. `fault` is what the socket's `error` gave. */
export function explainFault(fault: Error, { host, hostname }: URL): string {
  const code: unknown = Reflect.get(fault, 'code')
  if (typeof code !== 'string') return `cannot connect to ${host}: ${fault.message}`
  if (UNRESOLVED.has(code)) return `cannot resolve ${hostname}`
  if (code === 'ECONNREFUSED') return `nobody listens at ${host}`
  if (code === 'ETIMEDOUT') return unanswered(host)
  if (DISTRUSTED.test(code)) return `the certificate of ${host} is not trusted (${code})`
  if (NO_TLS.test(code)) return `no TLS with ${host} (${code}); ws:// goes without`
  return `cannot connect to ${host} (${code})`
}

export function unanswered(host: string): string {
  return `${host} does not answer`
}
