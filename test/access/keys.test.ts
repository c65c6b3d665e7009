import { describe, expect, it } from 'vitest'
import {
  hashSecret,
  keyTag,
  mintKey,
  parseKey,
  provesPublishable,
  provesSecret,
  sha256,
} from '../../src/access/keys.ts'

/** First 16 bits of the SHA-256 of `parley key tag abcdefgh1234 abcdefghijklmnopqrstuvwxyz`: stored, so that it never changes. */
const TAG = 0x0cdd

describe('a key', () => {
  it.each(['secret', 'publishable'] as const)('of kind %s reads back as it was minted', async (kind) => {
    const minted = await mintKey(kind)
    expect(parseKey(minted.key)).toEqual({ kind, id: minted.id, secret: minted.secret })
    expect(minted.key).toMatch(kind === 'secret' ? /^sk_live_/ : /^pk_live_/)
  })

  it('has a secret of at least 128 bits and never the same twice', async () => {
    const keys = await Promise.all(Array.from({ length: 20 }, () => mintKey('publishable')))
    for (const { secret } of keys) expect(secret.length * Math.log2(62)).toBeGreaterThanOrEqual(128)
    expect(new Set(keys.map(({ id }) => id)).size).toBe(20)
    expect(new Set(keys.map(({ secret }) => secret)).size).toBe(20)
  })

  it('is kept as a hash that does not hold it: argon2id for secret keys, SHA-256 for publishable ones', async () => {
    const [secret, publishable] = [await mintKey('secret'), await mintKey('publishable')]
    expect(secret.hash).toMatch(/^\$argon2id\$/)
    expect(publishable.hash).toBe(sha256(publishable.secret))
    for (const { hash, secret: part } of [secret, publishable]) expect(hash).not.toContain(part)
  })

  it('has a tag of 16 bits when it is secret, of its id and its secret; a publishable one has none', async () => {
    const { id, secret, tag } = await mintKey('secret')
    expect(tag).toBe(keyTag(id, secret))
    expect((await mintKey('publishable')).tag).toBeUndefined()
    expect(keyTag('abcdefgh1234', 'abcdefghijklmnopqrstuvwxyz')).toBe(TAG)
    const tags = Array.from({ length: 1000 }, (_, nth) => keyTag('abcdefgh1234', `secret${nth}`))
    for (const each of tags) expect(each).toBe(each & 0xffff)
    expect(new Set(tags).size).toBeGreaterThan(900)
    expect(keyTag('another', 'abcdefghijklmnopqrstuvwxyz')).not.toBe(TAG)
  })

  it('is proven by its own secret only', async () => {
    const stored = await hashSecret('secret', 'right')
    expect(await provesSecret(stored, 'right')).toBe(true)
    expect(await provesSecret(stored, 'wrong')).toBe(false)
    expect(await provesSecret('not a hash', 'right')).toBe(false)
    expect(provesPublishable(sha256('right'), 'right')).toBe(true)
    expect(provesPublishable(sha256('right'), 'wrong')).toBe(false)
    expect(provesPublishable('short', 'right')).toBe(false)
  })

  it.each([
    '',
    'sk-mcd-a1b2c3d4e5f6',
    'sk_live_abcdefgh1234',
    'sk_live_abcdefgh1234_short',
    'sk_test_abcdefgh1234_abcdefghijklmnopqrstuvwxyz',
    'xk_live_abcdefgh1234_abcdefghijklmnopqrstuvwxyz',
    'sk_live_abcdefgh12-4_abcdefghijklmnopqrstuvwxyz',
    'sk_live_abcdefgh1234_abcdefghijklmnopqrstuvwxyz\n',
    ` sk_live_abcdefgh1234_abcdefghijklmnopqrstuvwxyz`,
    `sk_live_abcdefgh1234_${'a'.repeat(65)}`,
  ])('of another form is none: %j', (text) => {
    expect(parseKey(text)).toBeUndefined()
  })
})
