import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MAX_PART, toParts } from '../../src/documents/parts.ts'
import { isStorable } from '../../src/protocol/text.ts'
import { collectGarbage } from '../support/collect-garbage.ts'

const partsOf = (text: string) => toParts([{ heading: '', text }]).map((part) => part.text)

describe('parts', () => {
  it('hold neighbouring paragraphs until they are full, and never those of two sections', () => {
    const paragraph = 'word '.repeat(100).trim()
    const sections = [
      { heading: 'A', text: [paragraph, paragraph, paragraph, paragraph].join('\n\n\n') },
      { heading: 'B', text: 'short' },
      { heading: 'C', text: ' \n ' },
    ]
    expect(toParts(sections)).toEqual([
      { heading: 'A', text: [paragraph, paragraph, paragraph].join('\n\n') },
      { heading: 'A', text: paragraph },
      { heading: 'B', text: 'short' },
    ])
  })

  it('of a long paragraph end with a line, else a sentence, else a word, else anywhere', () => {
    const line = `${'a'.repeat(799)}\n`
    expect(partsOf(line.repeat(3)).map((text) => text.length)).toEqual([1599, 799])
    const sentence = `${'b'.repeat(998)}. `
    expect(partsOf(sentence.repeat(3))).toEqual(Array(3).fill(sentence.trim()))
    expect(partsOf('。'.repeat(1700)).join('')).toBe('。'.repeat(1700))
    expect(partsOf('word '.repeat(400)).every((text) => /^(?:word ?)+$/.test(text))).toBe(true)
    expect(partsOf('c'.repeat(4000)).map((text) => text.length)).toEqual([1600, 1600, 800])
  })

  it('split no character', () => {
    const parts = partsOf(`x${'🎉'.repeat(2000)}`)
    expect(parts.every(isStorable)).toBe(true)
    expect(parts.join('')).toBe(`x${'🎉'.repeat(2000)}`)
  })

  it('of any text are storable, within the bound and lose no word', () => {
    const unit = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 30 }),
      fc.constantFrom('\n', '\n\n', ' ', '. ', '\0', '\uD800', '。'),
      fc.integer({ min: 1, max: 3000 }).map((length) => 'x'.repeat(length)),
    )
    const text = fc.array(unit, { maxLength: 60 }).map((pieces) => pieces.join(''))
    const squeeze = (all: string) => all.replaceAll(/\s+/g, '')
    fc.assert(
      fc.property(text, (whole) => {
        const parts = partsOf(whole)
        expect(parts.every((part) => isStorable(part) && part.length <= MAX_PART && part.trim() !== '')).toBe(true)
        expect(squeeze(parts.join(''))).toBe(squeeze(whole.replaceAll('\0', '\uFFFD').toWellFormed()))
      }),
      { numRuns: 100 },
    )
  })

  it('of a text without a line end take about what the text takes, not a tree of its words', async () => {
    const text = 'a few short words '.repeat(120_000)
    await collectGarbage()
    const before = process.memoryUsage().heapUsed
    const parts = partsOf(text)
    await collectGarbage()
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(4 * text.length)
    expect(parts.length).toBeGreaterThan(1000)
  })
})
