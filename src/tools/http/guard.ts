import { isIP } from 'node:net'
import { reachOf } from './addresses.ts'
import type { Lookup } from './lookups.ts'

/** Addresses of one name that are looked at: more is no service's answer. */
const MAX_ADDRESSES = 32

/**
 * A request that must not be made, or cannot be as the operator set the server up. Not for the model: the log has the code, which
 * says what to do, and the tool's name.
 */
export class ToolSetupError extends Error {
  override readonly name = 'ToolSetupError'
  readonly code: 'ADDRESS_NOT_ALLOWED' | 'PLAIN_HTTP_NOT_ALLOWED' | 'SECRET_NOT_SET' | 'PROGRAM_NOT_ALLOWED'

  constructor(code: ToolSetupError['code']) {
    super(code)
    this.code = code
  }
}

/** Decides which addresses a request may go to. */
export class Guard {
  readonly #hosts: ReadonlySet<string>
  readonly #lookup: Lookup

  /** `hosts`: of the operator, each a host or host:port; only they may be private or without TLS. */
  constructor(hosts: readonly string[], resolve: Lookup) {
    this.#hosts = new Set(hosts)
    this.#lookup = resolve
  }

  /**
   * The addresses to connect to, and no others: a name that is looked up again may answer differently. All are checked, those of
   * a name that also has a bad one are refused with it. Throws ToolSetupError; rejects with what the resolver says.
   */
  async addressesOf(url: URL, signal: AbortSignal): Promise<readonly string[]> {
    const named = this.#isNamed(url)
    if (url.protocol !== 'https:' && !named) throw new ToolSetupError('PLAIN_HTTP_NOT_ALLOWED')
    const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
    const found = isIP(host) === 0 ? await this.#lookup(host, signal) : [host]
    const addresses = found.slice(0, MAX_ADDRESSES)
    const allowed = addresses.every((address) => {
      const reach = reachOf(address)
      return reach === 'public' || (reach === 'private' && named)
    })
    if (!allowed || addresses.length === 0) throw new ToolSetupError('ADDRESS_NOT_ALLOWED')
    return addresses
  }

  #isNamed({ hostname, port, protocol }: URL): boolean {
    const usual = protocol === 'https:' ? '443' : '80'
    return this.#hosts.has(hostname) || this.#hosts.has(`${hostname}:${port === '' ? usual : port}`)
  }
}
