import ipaddr from 'ipaddr.js'
import type { AccessRequest, Admission } from '../ports/access.ts'
import { type Address, isWithin, type Network, readAddress, readNetworks } from './networks.ts'

/** Any of these says that the peer speaks for someone else. */
const FORWARDING_HEADERS = ['x-forwarded-for', 'forwarded', 'x-real-ip', 'x-forwarded-host', 'x-forwarded-proto', 'via']
/** Hops that are read of one header: no sane chain of proxies is longer. */
const MAX_HOPS = 20
/** Bits of an IPv6 address that name a customer; the rest is theirs to choose from. */
const V6_PREFIX_BITS = 64
/** An address that cannot be read shares one place in every limit. */
const UNKNOWN = 'unknown'

/** Who a socket comes from, what limits count it by, and whether it is a proxy that is believed. */
type Peer = {
  readonly address: Address | undefined
  readonly trusted: boolean
  /** One for all its connections that say nothing of forwarding. */
  readonly direct: Admission
}

/** Whose request it is, by address: the peer, or whom a trusted proxy names. */
export class Addresses {
  readonly #trusted: readonly Network[]
  /** The last peer: behind a proxy it is the same for all, and of one request it is asked for more than once. */
  #last: { readonly text: string; readonly peer: Peer } | undefined

  /** `trustedProxies`: IP addresses and networks in CIDR form. */
  constructor(trustedProxies: readonly string[]) {
    this.#trusted = readNetworks(trustedProxies)
  }

  addressOf(request: AccessRequest): Admission {
    const { address, trusted, direct } = this.#peerOf(request)
    if (!isForwarded(request)) return direct
    const client = trusted ? this.#walk(address, request) : address
    return { address: client === address ? direct.address : placeOf(client), forwarded: true }
  }

  /** The address itself, for lists of who may; undefined when it cannot be read. */
  clientOf(request: AccessRequest): Address | undefined {
    const { address, trusted } = this.#peerOf(request)
    return trusted ? this.#walk(address, request) : address
  }

  /** Over TLS, or so says a trusted proxy. */
  isSecure(request: AccessRequest): boolean {
    const said = request.header('x-forwarded-proto')
    if (said === undefined || !this.#peerOf(request).trusted) return request.secure
    return said.split(',', 1)[0]?.trim().toLowerCase() === 'https'
  }

  /** From the peer outwards as long as each hop is trusted: what lies beyond, anyone may have written. */
  #walk(peer: Address | undefined, request: AccessRequest): Address | undefined {
    let client = peer
    const hops = (request.header('x-forwarded-for') ?? '').split(',').slice(-MAX_HOPS).toReversed()
    for (const hop of hops) {
      const named = readAddress(stripPort(hop.trim()))
      if (named === undefined || !this.#isTrusted(client)) return client
      client = named
    }
    return client
  }

  #peerOf({ address: text }: AccessRequest): Peer {
    if (this.#last?.text !== text) {
      const address = readAddress(text)
      this.#last = {
        text,
        peer: { address, trusted: this.#isTrusted(address), direct: { address: placeOf(address), forwarded: false } },
      }
    }
    return this.#last.peer
  }

  #isTrusted(address: Address | undefined): boolean {
    return address !== undefined && this.#trusted.some((network) => isWithin(address, network))
  }
}

function isForwarded(request: AccessRequest): boolean {
  return FORWARDING_HEADERS.some((name) => request.header(name) !== undefined)
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
