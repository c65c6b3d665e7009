import ipaddr from 'ipaddr.js'
import type { AccessRequest, Admission } from '../ports/access.ts'

type Address = ReturnType<typeof ipaddr.process>
type Network = ReturnType<typeof ipaddr.parseCIDR>

/** Any of these says that the peer speaks for someone else. */
const FORWARDING_HEADERS = ['x-forwarded-for', 'forwarded', 'x-real-ip', 'x-forwarded-host', 'x-forwarded-proto', 'via']
/** Hops that are read of one header: no sane chain of proxies is longer. */
const MAX_HOPS = 20
/** Bits of an IPv6 address that name a customer; the rest is theirs to choose from. */
const V6_PREFIX_BITS = 64
/** An address that cannot be read shares one place in every limit. */
const UNKNOWN = 'unknown'

/** Whose request it is, by address: the peer, or whom a trusted proxy names. */
export class Addresses {
  readonly #trusted: readonly Network[]

  /** `trustedProxies`: IP addresses and networks in CIDR form. */
  constructor(trustedProxies: readonly string[]) {
    this.#trusted = trustedProxies.map(readNetwork)
  }

  addressOf(request: AccessRequest): Admission {
    const peer = readAddress(request.address)
    if (!isForwarded(request)) return { address: placeOf(peer), forwarded: false }
    const client = this.#isTrusted(peer) ? this.#walk(peer, request.header('x-forwarded-for') ?? '') : peer
    return { address: placeOf(client), forwarded: true }
  }

  /** Over TLS, or so says a trusted proxy. */
  isSecure(request: AccessRequest): boolean {
    const said = request.header('x-forwarded-proto')
    if (said === undefined || !this.#isTrusted(readAddress(request.address))) return request.secure
    return said.split(',', 1)[0]?.trim().toLowerCase() === 'https'
  }

  /** From the peer outwards as long as each hop is trusted: what lies beyond, anyone may have written. */
  #walk(peer: Address | undefined, header: string): Address | undefined {
    let client = peer
    const hops = header.split(',').slice(-MAX_HOPS).toReversed()
    for (const hop of hops) {
      const named = readAddress(stripPort(hop.trim()))
      if (named === undefined || !this.#isTrusted(client)) return client
      client = named
    }
    return client
  }

  #isTrusted(address: Address | undefined): boolean {
    return address !== undefined && this.#trusted.some((network) => isWithin(address, network))
  }
}

/** A process on this machine that speaks for itself: its owner's, so no limit by address holds. */
export function isExempt({ address, forwarded }: Admission): boolean {
  return !forwarded && (address === '::1' || address.startsWith('127.'))
}

function isForwarded(request: AccessRequest): boolean {
  return FORWARDING_HEADERS.some((name) => request.header(name) !== undefined)
}

function readNetwork(text: string): Network {
  if (ipaddr.isValidCIDR(text)) return ipaddr.parseCIDR(text)
  const address = ipaddr.process(text)
  return [address, address.toByteArray().length * 8]
}

/** v4-mapped v6 comes out as v4; a zone (`%eth0`) is of no use to us. */
function readAddress(text: string): Address | undefined {
  const [bare = ''] = text.split('%', 1)
  return ipaddr.isValid(bare) ? ipaddr.process(bare) : undefined
}

function isWithin(address: Address, [base, bits]: Network): boolean {
  return address.kind() === base.kind() && address.match(base, bits)
}

/** `1.2.3.4:5` and `[::1]:5`, as some proxies write. */
function stripPort(hop: string): string {
  return /^\[([^\]]+)\]/.exec(hop)?.[1] ?? /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(hop)?.[1] ?? hop
}

/** What limits count by: a v4 address, or the /64 of a v6 one. */
function placeOf(address: Address | undefined): string {
  if (address === undefined) return UNKNOWN
  if (address.kind() === 'ipv4' || address.range() === 'loopback') return address.toString()
  const bytes = address.toByteArray().map((byte, index) => (index < V6_PREFIX_BITS / 8 ? byte : 0))
  return `${ipaddr.fromByteArray(bytes).toString()}/${V6_PREFIX_BITS}`
}
