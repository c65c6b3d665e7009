import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { GrowingText } from '../../src/ports/growing-text.ts'
import { collectGarbage } from '../support/collect-garbage.ts'

describe('a growing text', () => {
  it('is what was appended, from any place, whenever it is asked', () => {
    const Step = fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({
          append: fc.oneof(
            fc.string({ maxLength: 8 }),
            fc.string({ unit: 'binary', maxLength: 200 }),
            // Longer than a chunk, and than two.
            fc
              .tuple(fc.constantFrom('x', 'é', '語', '😀'), fc.nat({ max: 5000 }))
              .map(([one, times]) => one.repeat(times)),
          ),
        }),
      },
      { weight: 1, arbitrary: fc.record({ readFrom: fc.double({ min: 0, max: 1, noNaN: true }) }) },
      { weight: 1, arbitrary: fc.constantFrom('whole', 'close') },
    )
    fc.assert(
      fc.property(fc.array(Step, { maxLength: 60 }), (steps) => {
        const text = new GrowingText()
        let expected = ''
        const read: string[] = []
        const written: string[] = []
        for (const step of steps) {
          if (step === 'whole') {
            read.push(text.toString())
            written.push(expected)
          } else if (step === 'close') {
            text.close()
          } else if (typeof step === 'object' && 'append' in step) {
            text.append(step.append)
            expected += step.append
          } else {
            const start = Math.floor(step.readFrom * expected.length)
            read.push(text.from(start))
            written.push(expected.slice(start))
          }
          expect(text.length).toBe(expected.length)
        }
        expect(read).toEqual(written)
        expect(text.from(0)).toBe(expected)
        expect(text.from(expected.length)).toBe('')
      }),
      { seed: 1 },
    )
  })

  it('I7: that is closed keeps no room to grow in, and its characters outside of what the collector copies', async () => {
    const [texts, units] = [5000, 600]
    await collectGarbage()
    const before = process.memoryUsage().arrayBuffers
    const kept = Array.from({ length: texts }, () => {
      const text = new GrowingText()
      for (let nth = 0; nth < units; nth++) text.append('x')
      text.close()
      return text
    })
    await collectGarbage()
    const taken = (process.memoryUsage().arrayBuffers - before) / (texts * units)
    expect(taken).toBeGreaterThan(0.95)
    expect(taken).toBeLessThan(1.1)
    expect(new Set(kept.map((text) => text.toString()))).toEqual(new Set(['x'.repeat(units)]))
  })
})
