import { describe, expect, it } from 'vitest'
import { parametersOf, type Rows, textOf } from '../../src/storage/write-text.ts'

const NOTHING: Rows = { sessions: [], runs: [], messages: [], guards: [], tails: [], superseding: [], told: [] }
const NEITHER = { known: false, ends: false }
const FIRST: Rows = { ...NOTHING, sessions: ['{"id":1}'], runs: ['{"id":2}'], messages: ['{"id":3}', '{"id":4}'] }
const CHECKPOINT: Rows = { ...NOTHING, guards: ['{"id":5}'], tails: ['{"id":6}'] }

describe('the statement of the write path', () => {
  it('has only the parts that its rows need, each parameter in its place', () => {
    const tables = (rows: Rows) => [...textOf(rows, NEITHER).matchAll(/insert into (\w+)/g)].map(([, table]) => table)
    expect(tables(FIRST)).toEqual(['runs', 'messages', 'sessions'])
    expect(parametersOf(FIRST)).toEqual(['[{"id":1}]', '[{"id":2}]', '[{"id":3},{"id":4}]'])
    expect(tables(CHECKPOINT)).toEqual(['message_tails'])
    expect(parametersOf(CHECKPOINT)).toEqual(['[{"id":5}]', '[{"id":6}]'])
    for (const rows of [FIRST, CHECKPOINT]) {
      const numbers = [...textOf(rows, NEITHER).matchAll(/\$(\d)/g)].map(([, number]) => Number(number))
      expect(new Set(numbers)).toEqual(new Set(parametersOf(rows).map((_, at) => at + 1)))
    }
  })

  it('reads the rows of each table once, also where known sessions and ends of runs need them more often', () => {
    const text = textOf(FIRST, { known: true, ends: true })
    expect(text.match(/\$1/g)).toHaveLength(1)
    expect(text.match(/\$2/g)).toHaveLength(1)
    expect(text).toContain('known_rows')
    expect(text).toContain('delete from message_tails')
  })

  it('is the same text for batches of a kind, so that it is prepared once', () => {
    const another: Rows = { ...FIRST, messages: ['{"id":7}'] }
    expect(textOf(another, NEITHER)).toBe(textOf(FIRST, NEITHER))
  })
})
