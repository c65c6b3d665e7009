import { describe, expect, it } from 'vitest'
import { checkCommand } from '../../src/cli/check.ts'
import { runCli } from '../../src/cli/cli.ts'
import type { Inspection } from '../../src/storage/inspect.ts'
import { FakeTerminal } from './fakes.ts'

const WHOLE: Inspection = {
  description: 'embedded Postgres, data in .parley',
  version: 3,
  rows: { sessions: 3, runs: 8, messages: 20, apps: 1, keys: 2 },
  waiting: { deadRuns: 0, queues: 0, statuses: 0 },
  checked: 16,
  broken: [],
}

async function check(inspection: Partial<Inspection> | Error, ...args: string[]) {
  const terminal = new FakeTerminal()
  const inspect = async (): Promise<Inspection> => {
    if (inspection instanceof Error) throw inspection
    return { ...WHOLE, ...inspection }
  }
  const code = await runCli(['check', ...args], terminal, { check: checkCommand(inspect) })
  return { code, out: terminal.outLines, err: terminal.errLines }
}

describe('parley check', () => {
  it('of a database that is whole says what was looked at and exits with 0', async () => {
    expect(await check({})).toEqual({
      code: 0,
      out: [
        'Checked embedded Postgres, data in .parley, schema version 3',
        '  rows       3 sessions, 8 runs, 20 messages, 1 stored Apps, 2 keys',
        'All 16 invariants hold',
      ],
      err: [],
    })
  })

  it('says what waits to be mended and is no fault', async () => {
    const { code, out } = await check({ waiting: { deadRuns: 2, queues: 1, statuses: 0 } })
    expect(code).toBe(0)
    expect(out.filter((line) => line.includes('waits'))).toEqual([
      '  waits      2 runs whose process died: ended as interrupted when their session is opened',
      '  waits      1 sessions with a queue that goes on when they are opened, or is just going on',
    ])
  })

  it('names each invariant that is broken with a few places, and exits with 1', async () => {
    const examples = [{ session: '218aa334', item: 'e4780483' }, { session: '318aa334' }, { item: 'k1' }]
    const { code, out, err } = await check({
      broken: [{ name: 'calls-answered', found: 'tool calls of ended runs without a result', count: 9, examples }],
    })
    expect(code).toBe(1)
    expect(out.slice(2)).toEqual([
      'BROKEN calls-answered: 9 tool calls of ended runs without a result',
      '    session 218aa334, run e4780483',
      '    session 318aa334',
      '    key k1',
      '    and 6 more',
    ])
    expect(err).toEqual(['parley check: 1 of 16 invariants do not hold'])
  })

  it('that cannot look exits with 1, misused with 2', async () => {
    expect(await check(new Error('There is no database in .parley'))).toEqual({
      code: 1,
      out: [],
      err: ['parley check: There is no database in .parley'],
    })
    expect((await check({}, '--fix')).code).toBe(2)
  })
})
