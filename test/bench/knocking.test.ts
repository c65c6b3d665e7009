import { describe, expect, it } from 'vitest'
import { Latencies } from '../../bench/latencies.ts'
import { type LoadCommand, partOf } from '../../bench/load-command.ts'

const TARGET = { port: 1, path: '/ws', headers: {} }

function parts(command: LoadCommand, of: number): (LoadCommand | undefined)[] {
  return Array.from({ length: of }, (_, nth) => partOf(command, nth, of))
}

describe('several load processes', () => {
  it('share keys among them, each once, and the rate of wrong ones', () => {
    const keys = Array.from({ length: 10 }, (_, nth) => `k${nth}`)
    const shared = parts({ do: 'knock', target: TARGET, keys, spreadMs: 0 }, 3)
    expect(shared.flatMap((part) => (part?.do === 'knock' ? part.keys : []))).toEqual(keys)
    const guesses = parts({ do: 'guess', target: TARGET, keyIds: ['k'], perSecond: 500, seconds: 1 }, 2)
    expect(guesses.map((part) => (part?.do === 'guess' ? part.perSecond : 0))).toEqual([250, 250])
  })
})

describe('the share of a histogram within a time', () => {
  it('counts all that took at most so long', () => {
    const latencies = new Latencies()
    expect(latencies.shareWithin(1)).toBe(0)
    for (const ms of [1, 5, 1999, 2000, 2500, 9000]) latencies.add(ms * 1000)
    expect([0.5, 1, 2000, 2001, 10_000].map((ms) => latencies.shareWithin(ms))).toEqual([0, 1 / 6, 4 / 6, 4 / 6, 1])
  })
})
