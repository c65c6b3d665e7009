import { LRUCache } from 'lru-cache'

/** Names that this server is called by; a few in practice. */
const MAX_NAMES = 100
/** Characters of a name that is kept: of a name of the DNS, and a port. */
const MAX_LENGTH = 260

/** Origins by Host header, as the URL standard writes them. */
export class Origins {
  readonly #known = new LRUCache<string, string>({ max: MAX_NAMES })

  /** Undefined for what is no host, or too long to be one. */
  of(secure: boolean, host: string): string | undefined {
    if (host.length > MAX_LENGTH) return undefined
    const named = `${secure ? 'https' : 'http'}://${host}`
    const known = this.#known.get(named)
    if (known !== undefined) return known
    if (!URL.canParse(named)) return undefined
    const { origin } = new URL(named)
    this.#known.set(named, origin)
    return origin
  }
}
