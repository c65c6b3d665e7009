import ipaddr from 'ipaddr.js'

/**
 * Where an address leads: `public`; `private`, which only hosts that the operator names may lead to; `never`, whoever asks:
 * link-local addresses, where clouds keep their machines' credentials, and what no service has.
 */
export type Reach = 'public' | 'private' | 'never'

const PRIVATE = new Set(['loopback', 'private', 'uniqueLocal', 'carrierGradeNat'])
/** Credentials of cloud machines beside 169.254.169.254: Azure, Alibaba, AWS and Google over IPv6. */
const METADATA = new Set(['168.63.129.16', '100.100.100.200', 'fd00:ec2::254', 'fd20:ce::254'])
/** The part of IPv6 that is given out for use in the world; what stands beside it means something else each. */
const GLOBAL = ipaddr.IPv6.parseCIDR('2000::/3')
/** Networks without IPv4 reach it through addresses that begin so and end in the IPv4 address (RFC 6052). */
const NAT64 = ipaddr.IPv6.parseCIDR('64:ff9b::/96')
const IPV4_BYTES = 4

export function reachOf(text: string): Reach {
  if (!ipaddr.isValid(text)) return 'never'
  const address = unwrap(ipaddr.process(text))
  if (METADATA.has(address.toString())) return 'never'
  const range = address.range()
  if (PRIVATE.has(range)) return 'private'
  const usual = address.kind() === 'ipv4' || isIn(address, GLOBAL)
  return range === 'unicast' && usual ? 'public' : 'never'
}

function unwrap(address: ipaddr.IPv4 | ipaddr.IPv6): ipaddr.IPv4 | ipaddr.IPv6 {
  return isIn(address, NAT64) ? ipaddr.fromByteArray(address.toByteArray().slice(-IPV4_BYTES)) : address
}

function isIn(address: ipaddr.IPv4 | ipaddr.IPv6, network: [ipaddr.IPv6, number]): boolean {
  return address instanceof ipaddr.IPv6 && address.match(network)
}
