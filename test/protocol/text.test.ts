import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fitsUtf8, isStorable, toStorable, toStorableJson, truncateUtf8, utf8Length } from '../../src/protocol/text.ts'

const HIGH = '\uD83D'
const LOW = '\uDE42'
const NUL = '\u0000'
const LIMIT = 12

/** Any UTF-16, lone surrogates and NULs often. */
const rawText = fc
  .array(fc.oneof(fc.constantFrom(HIGH, LOW, NUL, 'a', 'ä', '漢', '🙂'), fc.string({ unit: 'binary', maxLength: 2 })), {
    maxLength: 30,
  })
  .map((parts) => parts.join(''))
const wellFormed = fc.string({ unit: 'binary', maxLength: 30 })

describe('the size of a text', () => {
  it.each([
    ['', 0],
    ['a', 1],
    ['ä', 2],
    ['漢', 3],
    ['🙂', 4],
    ['👨‍👩‍👧', 18],
    [NUL, 1],
    [HIGH, 3],
  ])('of %j is %i bytes', (text, bytes) => {
    expect(utf8Length(text)).toBe(bytes)
    expect(fitsUtf8(text, bytes)).toBe(true)
    expect(fitsUtf8(text, bytes - 1)).toBe(false)
  })

  it.each(['a', 'ä', '漢', '🙂'])('of many %s fits at the limit and not one byte below', (character) => {
    const size = utf8Length(character)
    const text = character.repeat(LIMIT / size)
    expect(fitsUtf8(text, LIMIT)).toBe(true)
    expect(fitsUtf8(text, LIMIT - 1)).toBe(false)
    expect(fitsUtf8(text + character, LIMIT)).toBe(false)
  })

  it('fits exactly when its encoding does', () => {
    fc.assert(
      fc.property(rawText, fc.nat({ max: 100 }), (text, limit) => {
        expect(fitsUtf8(text, limit)).toBe(utf8Length(text) <= limit)
      }),
    )
  })
})

describe('truncateUtf8', () => {
  it.each([
    ['abc', 3, 'abc'],
    ['abc', 2, 'ab'],
    ['abc', 0, ''],
    ['aä', 2, 'a'],
    ['漢漢', 5, '漢'],
    ['🙂🙂', 7, '🙂'],
    ['🙂', 3, ''],
  ])('of %j to %i bytes is %j', (text, limit, cut) => {
    expect(truncateUtf8(text, limit)).toBe(cut)
  })

  it('gives a prefix that fits, never splits a character, and could not be one character longer', () => {
    fc.assert(
      fc.property(wellFormed, fc.nat({ max: 60 }), (text, limit) => {
        const cut = truncateUtf8(text, limit)
        expect(text.startsWith(cut)).toBe(true)
        expect(utf8Length(cut)).toBeLessThanOrEqual(limit)
        expect(cut.isWellFormed()).toBe(true)
        const [next] = text.slice(cut.length)
        expect(next === undefined || utf8Length(cut + next) > limit).toBe(true)
      }),
    )
  })

  it('keeps its bound for text that is not well formed', () => {
    fc.assert(
      fc.property(rawText, fc.nat({ max: 60 }), (text, limit) => {
        const cut = truncateUtf8(text, limit)
        expect(text.startsWith(cut)).toBe(true)
        expect(utf8Length(cut)).toBeLessThanOrEqual(limit)
      }),
    )
  })
})

describe('storable text (P-7)', () => {
  it.each([
    ['', true],
    ['ä漢🙂\n\t\u0001', true],
    [`a${NUL}`, false],
    [HIGH, false],
    [LOW, false],
    [LOW + HIGH, false],
    [HIGH + LOW, true],
  ])('%j: %s', (text, storable) => {
    expect(isStorable(text)).toBe(storable)
  })

  it('a JSON text loses the escapes of half characters and NUL, and nothing else', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }),
        fc.constantFrom('', HIGH, LOW, NUL, '\\', '\\u', '🙂'),
        (text, odd) => {
          const value = { [`${text}${odd}`]: `${odd}${text}${odd}` }
          const [read] = Object.entries(JSON.parse(toStorableJson(JSON.stringify(value))))
          expect(read).toEqual([toStorable(`${text}${odd}`), toStorable(`${odd}${text}${odd}`)])
        },
      ),
    )
    expect(toStorableJson('"\\\\ud83e \\uD83E\\uDD9C \\u00e4 \\uD83E"')).toBe(
      '"\\\\ud83e \\uD83E\\uDD9C \\u00e4 \\ufffd"',
    )
  })

  it('is made by replacing what is not, and nothing else', () => {
    expect(toStorable(`a${NUL}b${HIGH}c${LOW}🙂`)).toBe('a\uFFFDb\uFFFDc\uFFFD🙂')
    fc.assert(
      fc.property(rawText, (text) => {
        const storable = toStorable(text)
        expect(isStorable(storable)).toBe(true)
        expect(storable.length).toBe(text.length)
        expect(isStorable(text)).toBe(storable === text)
      }),
    )
  })
})
