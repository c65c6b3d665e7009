import { describe, expect, it } from 'vitest'
import { Hosts } from '../../src/access/hosts.ts'

const local = new Hosts({ host: '127.0.0.1', origins: [] })
const named = new Hosts({ host: 'chat.internal', origins: ['https://chat.example.com', 'http://[2001:db8::1]:3000'] })
const everywhere = new Hosts({ host: '0.0.0.0', origins: [] })

describe('the name in Host', () => {
  it.each(['localhost', 'localhost:8080', 'LOCALHOST.', '127.0.0.1:8080', '127.9.9.9', '[::1]:8080', '[::1]'])(
    'is known when it is loopback: %s',
    (host) => {
      expect(local.isKnown(host)).toBe(true)
    },
  )

  it.each([
    'evil.example',
    '192.168.1.5:8080',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '',
    'a b',
    '[evil]',
  ])('is not known otherwise: %j', (host) => {
    expect(local.isKnown(host)).toBe(false)
  })

  it('is not known when it is missing', () => {
    expect(local.isKnown(undefined)).toBe(false)
  })

  it('is known when the server listens at it or PARLEY_ORIGINS names it', () => {
    for (const host of ['chat.internal:8080', 'Chat.Example.com', '[2001:db8::1]:3000']) {
      expect(named.isKnown(host)).toBe(true)
    }
  })

  it('is known as an address, which cannot be rebound, when the server listens at all of them', () => {
    expect(everywhere.isKnown('192.168.1.5:8080')).toBe(true)
    expect(everywhere.isKnown('evil.example')).toBe(false)
  })
})

describe('a page', () => {
  it('is allowed as the server’s own or as listed', () => {
    expect(local.allowsPage('http://localhost:8080', 'localhost:8080')).toBe(true)
    expect(local.allowsPage('https://localhost', 'localhost:443')).toBe(true)
    expect(named.allowsPage('https://chat.example.com', 'chat.internal:8080')).toBe(true)
  })

  it.each([
    ['http://localhost:3000', 'localhost:8080'],
    ['null', 'localhost:8080'],
    ['file://', ''],
    ['https://evil.example', undefined],
    ['https://chat.example.com.evil', 'chat.internal:8080'],
  ])('is not allowed otherwise: %s at %s', (origin, host) => {
    expect(named.allowsPage(origin, host)).toBe(false)
  })
})
