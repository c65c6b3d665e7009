import * as fc from 'fast-check'
import * as v from 'valibot'
import { describe, expect, it } from 'vitest'
import {
  AppIdSchema,
  ClientIdSchema,
  formatCursor,
  isRandomSessionId,
  parseCursor,
  SessionIdSchema,
} from '../../src/protocol/ids.ts'

const V4 = '0b9f7c1e-5d0a-4c1b-9f1e-2f6a3c8d7e10'
const V7 = '0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b'

describe('a session id (P-16)', () => {
  it('is read in lower case', () => {
    expect(v.parse(SessionIdSchema, V4.toUpperCase())).toBe(V4)
  })

  it.each(['', V4.slice(1), `${V4}0`, ` ${V4}`, V4.replaceAll('-', ''), `{${V4}}`, V4.replace('0', 'g'), `${V4}\n`])(
    'is not %j',
    (text) => {
      expect(v.is(SessionIdSchema, text)).toBe(false)
    },
  )

  it.each([
    [V4, true],
    [V7, true],
    ['0b9f7c1e-5d0a-1c1b-9f1e-2f6a3c8d7e10', false],
    ['0b9f7c1e-5d0a-5c1b-9f1e-2f6a3c8d7e10', false],
    ['0b9f7c1e-5d0a-4c1b-7f1e-2f6a3c8d7e10', false],
    ['00000000-0000-0000-0000-000000000000', false],
    [V4.toUpperCase(), false],
  ])('%s is random enough to be a capability: %s', (id, random) => {
    expect(isRandomSessionId(id)).toBe(random)
  })

  it('is random when the platform made it', () => {
    expect(isRandomSessionId(crypto.randomUUID())).toBe(true)
  })
})

describe("a client's own id (P-6)", () => {
  it.each(['a', 'A-z_9', 'a'.repeat(64), '-', '_', V4])('is %s', (id) => {
    expect(v.is(ClientIdSchema, id)).toBe(true)
  })

  it.each(['', 'a'.repeat(65), 'a b', 'a.b', 'ä', 'a\n', 'a/b', '🙂'])('is not %j', (id) => {
    expect(v.is(ClientIdSchema, id)).toBe(false)
  })
})

describe("an App's id (P-15)", () => {
  it.each(['a', '7', 'default', 'a-b', 'a--b', 'a'.repeat(64)])('is %s', (id) => {
    expect(v.is(AppIdSchema, id)).toBe(true)
  })

  it.each(['', '-a', 'a-', 'A', 'a_b', 'a.b', 'a'.repeat(65), 'a\n'])('is not %j', (id) => {
    expect(v.is(AppIdSchema, id)).toBe(false)
  })
})

describe('a cursor (P-19)', () => {
  it.each([
    ['3f9c2a7b41d0-17', { epoch: '3f9c2a7b41d0', seq: 17 }],
    ['a-0', { epoch: 'a', seq: 0 }],
    ['Z9-007', { epoch: 'Z9', seq: 7 }],
    [`${'e'.repeat(32)}-999999999999999`, { epoch: 'e'.repeat(32), seq: 999_999_999_999_999 }],
  ])('is %s', (text, cursor) => {
    expect(parseCursor(text)).toEqual(cursor)
  })

  it.each([
    '',
    '-',
    'a',
    'a-',
    '-1',
    'a-b',
    'a-1-2',
    'a--1',
    'a-1.5',
    'a-1e3',
    'ä-1',
    `${'e'.repeat(33)}-1`,
    'a-1000000000000000',
    'a-1\n',
  ])('is not %j', (text) => {
    expect(parseCursor(text)).toBeUndefined()
  })

  it('comes back from its text', () => {
    const cursors = fc.record({ epoch: fc.stringMatching(/^[A-Za-z0-9]{1,32}$/), seq: fc.nat() })
    fc.assert(
      fc.property(cursors, (cursor) => {
        expect(parseCursor(formatCursor(cursor))).toEqual(cursor)
      }),
    )
  })

  it('is never read from arbitrary text as anything but itself', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[a-z0-9-]{0,20}$/)), (text) => {
        const cursor = parseCursor(text)
        expect(cursor === undefined ? undefined : parseCursor(formatCursor(cursor))).toEqual(cursor)
      }),
    )
  })
})
