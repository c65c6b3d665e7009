import ipaddr from 'ipaddr.js'

/** Addresses to listen at that mean every address of the machine. */
const ANY_ADDRESS = ['0.0.0.0', '::']
const EVERYTHING = '*'

export type HostRules = {
  /** The address or name that the server listens at. */
  readonly host: string
  /** Exact origins of other pages that may use this server without a key, or `*`. */
  readonly origins: readonly string[]
}

/**
 * Which names this server answers to, and which pages may use it without a credential. A page of any site can make its name
 * resolve to this machine (DNS rebinding) and is then "same origin" to the browser: only the name in Host gives it away.
 */
export class Hosts {
  readonly #open: boolean
  readonly #origins: ReadonlySet<string>
  readonly #names: ReadonlySet<string>
  readonly #anyAddress: boolean

  constructor({ host, origins }: HostRules) {
    const named = origins.filter((origin) => origin !== EVERYTHING)
    this.#open = named.length < origins.length
    this.#origins = new Set(named.map((origin) => origin.toLowerCase()))
    this.#names = new Set(['localhost', host.toLowerCase(), ...named.map((origin) => new URL(origin).hostname)])
    this.#anyAddress = ANY_ADDRESS.includes(host)
  }

  /** `header`: the Host header, with or without its port. */
  isKnown(header: string | undefined): boolean {
    if (this.#open) return true
    const name = nameOf(header)
    if (name === undefined) return false
    if (this.#names.has(name) || this.#names.has(`[${name}]`)) return true
    if (!ipaddr.isValid(name)) return false
    // An address in Host cannot be rebound: the browser really went to that address.
    return this.#anyAddress || ipaddr.process(name).range() === 'loopback'
  }

  /** May a page of `origin` use the server at `host` without a credential? Both as their headers say. */
  allowsPage(origin: string, host: string | undefined): boolean {
    if (this.#open) return true
    return this.#origins.has(origin.toLowerCase()) || isSame(origin, host)
  }
}

/** The scheme is not compared: behind a proxy that ends TLS the page is https and the request is not. */
function isSame(origin: string, host: string | undefined): boolean {
  if (host === undefined || !URL.canParse(origin)) return false
  const url = new URL(origin)
  return (
    url.host !== '' && (url.host === host.toLowerCase() || `${url.hostname}:${defaultPort(url)}` === host.toLowerCase())
  )
}

function defaultPort(url: URL): string {
  return url.port !== '' ? url.port : url.protocol === 'https:' ? '443' : '80'
}

/** Without port, brackets and final dot, in lower case. */
function nameOf(header: string | undefined): string | undefined {
  const [, six, name] =
    /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+?)\.?)(?::\d{1,5})?$/.exec(header?.toLowerCase() ?? '') ?? []
  return six ?? name
}
