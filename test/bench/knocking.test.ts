import { describe, expect, it } from 'vitest'
import { Latencies } from '../../bench/load/latencies.ts'
import { type LoadCommand, partOf } from '../../bench/load/load-command.ts'

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

  it('share the sessions that are polled, each once; one of them sends', () => {
    const sessionIds = Array.from({ length: 7 }, (_, nth) => `s${nth}`)
    const polls = parts({ do: 'poll', target: TARGET, sessionIds, perSecond: 2, seconds: 1 }, 3)
    expect(polls.flatMap((part) => (part?.do === 'poll' ? part.sessionIds : []))).toEqual(sessionIds)
    const chats = parts({ do: 'chats', target: TARGET, sessionId: 's0', count: 3 }, 2)
    expect(chats.map((part) => part?.do)).toEqual(['chats', undefined])
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
