import ipaddr from 'ipaddr.js'

export type Address = ReturnType<typeof ipaddr.process>
export type Network = ReturnType<typeof ipaddr.parseCIDR>

/** Bits before the v4 address in a v4-mapped v6 one (`::ffff:1.2.3.4`). */
const MAPPED_BITS = 96
const BITS_PER_BYTE = 8

/** v4-mapped v6 comes out as v4; a zone (`%eth0`) is of no use to us. */
export function readAddress(text: string): Address | undefined {
  const [bare = ''] = text.split('%', 1)
  return ipaddr.isValid(bare) ? ipaddr.process(bare) : undefined
}

/** What of `texts` is an address or a network in CIDR form. */
export function readNetworks(texts: readonly string[]): readonly Network[] {
  return texts.map(readNetwork).filter((network) => network !== undefined)
}

/** What is v4-mapped comes out as v4. */
function readNetwork(text: string): Network | undefined {
  if (!ipaddr.isValidCIDR(text)) {
    const address = readAddress(text)
    return address && [address, address.toByteArray().length * BITS_PER_BYTE]
  }
  const [base, bits] = ipaddr.parseCIDR(text)
  const isMapped = base instanceof ipaddr.IPv6 && base.isIPv4MappedAddress() && bits >= MAPPED_BITS
  return isMapped ? [base.toIPv4Address(), bits - MAPPED_BITS] : [base, bits]
}

export function isWithin(address: Address, [base, bits]: Network): boolean {
  return address.kind() === base.kind() && address.match(base, bits)
}

const BY_KIND = { ipv4: ipaddr.IPv4, ipv6: ipaddr.IPv6 }

/**
 * How an entry of an allow-list is written: `203.0.113.7/32`, `2001:db8::/32`. Undefined for what is no address or network
 * as people write them: `127.1` and `0x7f.1` are addresses only to a machine.
 */
export function plainNetwork(text: string): string | undefined {
  const [written = ''] = text.split('/', 1)
  if (!written.includes(':') && !ipaddr.IPv4.isValidFourPartDecimal(written)) return undefined
  const network = text.includes('%') ? undefined : readNetwork(text)
  if (network === undefined) return undefined
  const [base, bits] = network
  return `${BY_KIND[base.kind()].networkAddressFromCIDR(`${base.toString()}/${bits}`).toString()}/${bits}`
}
