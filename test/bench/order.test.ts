import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CountReader, orderIn, orderText, TokenReader, tokenText } from '../../bench/load/order.ts'

describe('an order', () => {
  it('is found in whatever stands around it, the last one of several', () => {
    const order = { tokens: 7, rate: 50, apart: false, tool: true, tag: 'mix1-2' }
    const text = `${orderText({ ...order, tokens: 3 })} then [{"text":"${orderText(order)}"}]`
    expect(orderIn(text)).toEqual(order)
    expect(orderIn('nothing of the kind')).toBeUndefined()
  })
})

describe('a reader of tokens', () => {
  it('reads every token once with its stamp, wherever the server cut the text', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 50 }),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }),
        (count, cuts) => {
          const text = Array.from({ length: count }, (_, number) => tokenText(number, number * 3)).join('')
          const reader = new TokenReader()
          const read: (readonly [number, number])[] = []
          for (let at = 0, nth = 0; at < text.length; nth++) {
            const length = cuts[nth % cuts.length] ?? 1
            reader.read(text.slice(at, at + length), (number, stamp) => read.push([number, stamp]))
            at += length
          }
          expect(read).toEqual(Array.from({ length: count }, (_, number) => [number, number * 3]))
          expect(reader.next).toBe(count)
        },
      ),
    )
  })

  it.each([
    ['a gap', '0 2 '],
    ['a repeat', '0 0 '],
    ['a stranger', '0 x '],
  ])('refuses %s', (_name, text) => {
    expect(() => new TokenReader().read(text, () => {})).toThrow('expected, got')
  })
})

describe('a reader of a model that counts', () => {
  const PERIOD = 50_000

  /** Lateness in microseconds of the numbers that come at these times. */
  function lateness(times: readonly number[]): number[] {
    let now = 0
    const reader = new CountReader(PERIOD, () => now)
    return times.map((time, number) => {
      now = time
      let late = Number.NaN
      reader.read(number === 0 ? '0' : ` ${number}`, (_, due) => {
        late = now - due
      })
      return late
    })
  }

  it('counts from the schedule, whoever waits behind a late number is late as well', () => {
    const start = 1_000_000
    const stall = 120_000
    const due = [0, 1, 2, 3, 4].map((number) => start + number * PERIOD)
    const times = due.map((time, number) => (number === 0 ? time : Math.max(time, start + PERIOD + stall)))
    expect(lateness(times)).toEqual([0, stall, stall - PERIOD, stall - 2 * PERIOD, 0])
  })

  it('learns from a number that is less late than the first', () => {
    expect(lateness([1_000_000, 1_030_000, 1_080_000, 1_150_000])).toEqual([0, 0, 0, 20_000])
  })

  it('reads joined numbers, and refuses others', () => {
    const reader = new CountReader(PERIOD, () => 1)
    const read: number[] = []
    for (const delta of ['0', ' 1 2', ' 3']) reader.read(delta, (number) => read.push(number))
    expect(read).toEqual([0, 1, 2, 3])
    expect(() => reader.read(' 5', () => {})).toThrow('number 4 expected, got "5"')
    expect(() => reader.read('Hello', () => {})).toThrow('number 4 expected, got "Hello"')
  })
})
