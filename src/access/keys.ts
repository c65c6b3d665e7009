import { hash as cryptoHash, randomInt, timingSafeEqual } from 'node:crypto'
import { hash, verify } from '@node-rs/argon2'
import type { KeyKind } from '../ports/keys.ts'

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
/** Characters; 71 bits: two keys never meet, and an id tells nothing. */
const ID_LENGTH = 12
/** Characters; 190 bits, of which 128 are asked for. */
const SECRET_LENGTH = 32
/** What is read: what was ever minted, and room to make either part longer. 22 characters are 131 bits. */
const KEY_PATTERN = /^(sk|pk)_live_([0-9A-Za-z]{8,32})_([0-9A-Za-z]{22,64})$/

/** Hexadecimal digits: a guess passes once in 65,536. */
const TAG_DIGITS = 4

/** A key as it is presented: its id finds the row, its secret proves it. */
export type PresentedKey = { readonly kind: KeyKind; readonly id: string; readonly secret: string }

/** A new key. `key` is shown once and never stored. */
export type MintedKey = PresentedKey & { readonly key: string; readonly hash: string; readonly tag?: number }

/** Undefined for what cannot be one of our keys. */
export function parseKey(text: string): PresentedKey | undefined {
  const [, prefix, id, secret] = KEY_PATTERN.exec(text) ?? []
  if (id === undefined || secret === undefined) return undefined
  return { kind: prefix === 'sk' ? 'secret' : 'publishable', id, secret }
}

export async function mintKey(kind: KeyKind): Promise<MintedKey> {
  const [id, secret] = [randomText(ID_LENGTH), randomText(SECRET_LENGTH)]
  const key = `${kind === 'secret' ? 'sk' : 'pk'}_live_${id}_${secret}`
  const tag = kind === 'secret' ? { tag: keyTag(id, secret) } : {}
  return { kind, id, secret, key, hash: await hashSecret(kind, secret), ...tag }
}

/** argon2id for a secret key; SHA-256 for a publishable one, which every visitor of a page can read anyway. */
export async function hashSecret(kind: KeyKind, secret: string): Promise<string> {
  return kind === 'secret' ? await hash(secret) : sha256(secret)
}

/**
 * 16 bits of a digest of a secret key. A secret with another tag is wrong for sure, and is told so for microseconds in the place of
 * a hash. Whoever reads it in the table has 16 bits of a secret that has 131 at least.
 */
export function keyTag(id: string, secret: string): number {
  return Number.parseInt(cryptoHash('sha256', `parley key tag ${id} ${secret}`, 'hex').slice(0, TAG_DIGITS), 16)
}

/** Does the secret belong to the stored hash of a secret key? */
export type Prove = (stored: string, secret: string) => Promise<boolean>

/** Takes about 24 ms of CPU off the loop. False, too, when `stored` is no argon2 hash. */
export async function provesSecret(stored: string, secret: string): Promise<boolean> {
  try {
    return await verify(stored, secret)
  } catch {
    // A row that was written by hand: no secret can match it.
    return false
  }
}

/** In constant time. */
export function provesPublishable(stored: string, secret: string): boolean {
  const [known, given] = [Buffer.from(stored), Buffer.from(sha256(secret))]
  return known.length === given.length && timingSafeEqual(known, given)
}

/** What a presented key is remembered by, so that no key lies in memory. */
export function sha256(text: string): string {
  return cryptoHash('sha256', text, 'base64')
}

function randomText(length: number): string {
  return Array.from({ length }, () => ALPHABET.charAt(randomInt(ALPHABET.length))).join('')
}
