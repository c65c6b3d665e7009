import { describe, expect, it } from 'vitest'
import { Addresses } from '../../src/access/addresses.ts'
import { isLocal } from '../../src/ports/access.ts'
import { request } from './fakes.ts'

const proxied = new Addresses(['10.0.0.0/8', '127.0.0.1', '2001:db8:ffff::/48'])

describe('the address that limits count by', () => {
  it.each([
    ['203.0.113.7', '203.0.113.7'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2:ffff::1', '2001:db8:1:2::/64'],
    ['fe80::1%eth0', 'fe80::/64'],
    ['::1', '::1'],
    ['', 'unknown'],
  ])('of the peer %s is %s', (address, place) => {
    expect(new Addresses([]).addressOf(request({ address }))).toEqual({ address: place, forwarded: false })
  })

  it.each([
    ['one hop', '198.51.100.9', '198.51.100.9'],
    ['what the client made up before it', '1.1.1.1, 198.51.100.9', '198.51.100.9'],
    ['a chain of trusted proxies', '198.51.100.9, 10.9.9.9', '198.51.100.9'],
    ['a made-up trusted address', '1.1.1.1, 10.9.9.9, 198.51.100.9', '198.51.100.9'],
    ['a port', '198.51.100.9:4711', '198.51.100.9'],
    ['IPv6 in brackets', '[2001:db8:1:2::5]:4711', '2001:db8:1:2::/64'],
    ['v4-mapped', '::ffff:198.51.100.9', '198.51.100.9'],
    ['nonsense', 'unknown', '10.0.0.1'],
    ['nothing', '', '10.0.0.1'],
  ])('behind a trusted proxy is who it names: %s', (_what, header, place) => {
    const from = request({ address: '10.0.0.1', headers: { 'x-forwarded-for': header } })
    expect(proxied.addressOf(from)).toEqual({ address: place, forwarded: true })
  })

  it('is the same for peers that take turns', () => {
    const headers = { 'x-forwarded-for': '198.51.100.9' }
    const peers = ['10.0.0.1', '203.0.113.7', '10.0.0.1', '::1', '203.0.113.7']
    const places = peers.map((address) => proxied.addressOf(request({ address, headers })).address)
    expect(places).toEqual(['198.51.100.9', '203.0.113.7', '198.51.100.9', '::1', '203.0.113.7'])
  })

  it('of a peer that is not trusted is its own, whatever it says', () => {
    const from = request({ address: '203.0.113.7', headers: { 'x-forwarded-for': '127.0.0.1' } })
    expect(proxied.addressOf(from)).toEqual({ address: '203.0.113.7', forwarded: true })
  })
})

describe('exempt from limits', () => {
  it('is loopback that speaks for itself, and nobody else', () => {
    const admit = (address: string, headers: Record<string, string> = {}) =>
      isLocal(new Addresses([]).addressOf(request({ address, headers })))
    expect(admit('127.0.0.1')).toBe(true)
    expect(admit('::ffff:127.0.0.1')).toBe(true)
    expect(admit('::1')).toBe(true)
    expect(admit('203.0.113.7')).toBe(false)
    for (const name of ['x-forwarded-for', 'forwarded', 'x-real-ip', 'via']) {
      expect(admit('127.0.0.1', { [name]: '127.0.0.1' })).toBe(false)
    }
  })

  it('is not a client behind a local proxy that claims to be loopback', () => {
    const from = request({ address: '127.0.0.1', headers: { 'x-forwarded-for': '127.0.0.1' } })
    expect(isLocal(proxied.addressOf(from))).toBe(false)
  })
})
