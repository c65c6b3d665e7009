import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { offerProtocols, readProtocols } from '../../src/protocol/handshake.ts'
import { PROTOCOL_VERSION } from '../../src/protocol/version.ts'

const SESSION = '0b9f7c1e-5d0a-4c1b-9f1e-2f6a3c8d7e10'

describe('offerProtocols (P-18)', () => {
  it('puts the version first, so that the server has something to select', () => {
    expect(offerProtocols(SESSION)).toEqual(['parley.v1', `parley.session.${SESSION}`])
    expect(offerProtocols(SESSION)[0]).toBe(PROTOCOL_VERSION)
  })

  it('carries a key or a ticket', () => {
    expect(offerProtocols(SESSION, { kind: 'key', key: 'pk_live_a_b' })).toContain('parley.key.pk_live_a_b')
    expect(offerProtocols(SESSION, { kind: 'ticket', ticket: 't1' })).toContain('parley.ticket.t1')
  })
})

describe('readProtocols (P-18)', () => {
  it.each([
    ['nothing', undefined, { speaksParley: false }],
    ['an empty header', '', { speaksParley: false }],
    ['another protocol', 'graphql-transport-ws', { speaksParley: false }],
    ['the version alone', 'parley.v1', { speaksParley: true }],
    ['the version in capitals, which is another', 'PARLEY.V1', { speaksParley: false }],
    ['a later version only', 'parley.v2', { speaksParley: false }],
    ['several versions', 'parley.v2, parley.v1', { speaksParley: true }],
    ['a session without the version', `parley.session.${SESSION}`, { speaksParley: false, sessionIds: [SESSION] }],
    [
      'every session id (P-16)',
      `parley.session.${SESSION}, parley.session.other`,
      { speaksParley: false, sessionIds: [SESSION, 'other'] },
    ],
    ['entries without blanks', 'parley.v1,parley.key.k', { speaksParley: true, credential: { kind: 'key', key: 'k' } }],
    [
      'a key before a ticket, whatever their order (P-17)',
      'parley.ticket.t, parley.key.k, parley.v1',
      { speaksParley: true, credential: { kind: 'key', key: 'k' } },
    ],
    [
      'the first of two keys',
      'parley.key.a, parley.key.b',
      { speaksParley: false, credential: { kind: 'key', key: 'a' } },
    ],
  ])('reads %s', (_name, header, offered) => {
    expect(readProtocols(header)).toEqual({ sessionIds: [], ...offered })
  })

  it('reads what offerProtocols wrote', () => {
    // What a subprotocol may be made of: the characters of an HTTP token.
    const secret = fc.stringMatching(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,80}$/)
    const credential = fc.oneof(
      secret.map((key) => ({ kind: 'key' as const, key })),
      secret.map((ticket) => ({ kind: 'ticket' as const, ticket })),
    )
    fc.assert(
      fc.property(fc.uuid(), credential, (sessionId, given) => {
        const header = offerProtocols(sessionId, given).join(', ')
        expect(readProtocols(header)).toEqual({ speaksParley: true, sessionIds: [sessionId], credential: given })
      }),
    )
  })

  it('never throws at a header that it does not know', () => {
    fc.assert(
      fc.property(fc.string(), (header) => {
        expect(readProtocols(header)).toHaveProperty('speaksParley')
      }),
    )
  })
})
