import { describe, expect, it } from 'vitest'
import { Latencies } from '../../bench/load/latencies.ts'
import { type LoadCommand, partOf } from '../../bench/load/load-command.ts'
import { loadCore } from '../../bench/rig/loads.ts'
import { addUp } from '../../bench/rig/merge.ts'

const TARGET = { port: 1, path: '/ws', headers: {} }

function parts(command: LoadCommand, of: number): (LoadCommand | undefined)[] {
  return Array.from({ length: of }, (_, nth) => partOf(command, nth, of))
}

function packed(...micros: number[]): string {
  const latencies = new Latencies()
  for (const value of micros) latencies.add(value)
  return latencies.encode()
}

describe('a command to several load processes', () => {
  it.each([1, 2, 3, 7])('shares all sessions among %i of them, each once', (of) => {
    const sessionIds = Array.from({ length: 10 }, (_, nth) => `s${nth}`)
    const shared = parts({ do: 'open', target: TARGET, count: 10, sessionIds }, of)
    const opens = shared.flatMap((part) => (part?.do === 'open' ? [part] : []))
    expect(opens.flatMap((part) => part.sessionIds ?? [])).toEqual(sessionIds)
    expect(opens.map((part) => part.count)).toEqual(opens.map((part) => part.sessionIds?.length))
  })

  it('gives one session to the first, which sends', () => {
    const shared = parts({ do: 'open', target: TARGET, count: 1 }, 3)
    expect(shared.map((part) => (part?.do === 'open' ? part.count : undefined))).toEqual([1, 0, 0])
  })

  it('is sent by one and read by all', () => {
    const shared = parts({ do: 'watch', rate: 1, tokens: 2 }, 3)
    expect(shared).toEqual([
      { do: 'watch', rate: 1, tokens: 2 },
      { do: 'watch', rate: 1, tokens: 2, elsewhere: true },
      { do: 'watch', rate: 1, tokens: 2, elsewhere: true },
    ])
  })

  it('is for one of them where there is one to do', () => {
    expect(parts({ do: 'enter', target: TARGET, sessionIds: ['a'] }, 2).map((part) => part?.do)).toEqual([
      'enter',
      undefined,
    ])
  })

  it('makes different people of one seed', () => {
    const mix = { target: TARGET, seed: 5, seconds: 1, arrivals: 8, rate: 1, shape: 'day', tools: true } as const
    const shared = parts({ do: 'mix', ...mix }, 2)
    expect(shared).toMatchObject([
      { seed: 5, arrivals: 4 },
      { seed: 6, arrivals: 4 },
    ])
  })
})

describe('answers of several load processes', () => {
  it('add up: counts, histograms and maps; the longest says how long it took', () => {
    const one = { tokens: 3, seconds: 2, latencies: packed(100, 5000), asked: { a: 1 } }
    const other = { tokens: 4, seconds: 1.5, latencies: packed(70_000), asked: { b: 2 } }
    expect(addUp([one, other])).toEqual({
      tokens: 7,
      seconds: 2,
      latencies: packed(100, 5000, 70_000),
      asked: { a: 1, b: 2 },
    })
    expect(addUp([1, 2, 3])).toBe(6)
    expect(addUp(['cursor-1'])).toBe('cursor-1')
  })

  it('of different kinds do not', () => {
    expect(() => addUp([1, 'x'])).toThrow('different kinds')
    expect(() => addUp([])).toThrow('nobody answered')
  })
})

describe('the cores of load processes', () => {
  it('are the upstream’s where there is no other, else their own first', () => {
    expect(loadCore(0, 1, 8)).toBe(1)
    expect([0, 1, 2].map((nth) => loadCore(nth, 3, 2))).toEqual([1, 1, 1])
    expect([0, 1, 2, 3].map((nth) => loadCore(nth, 4, 4))).toEqual([2, 3, 1, 2])
  })
})
