import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { linesOf, tableOf } from '../../bench/report/report.ts'
import { readReport } from '../../bench/report/report-file.ts'
import { absolute, atMost, atMostPlus, type Goal, type Sample, type Scenario } from '../../bench/scenarios/scenario.ts'

const NOT_HERE = (): Promise<never> => Promise.reject(new Error('not measured here'))

function scenario(goal: Goal, alone = false): Scenario {
  const metrics = [{ key: 'cpu', label: 'CPU', digits: 1, goal }]
  return { name: 'x', title: 'X', alone, latency: '', metrics, measure: NOT_HERE }
}

function rounds(...cpu: readonly number[]): Sample[] {
  return cpu.map((value, index) => ({ values: { cpu: value }, notes: [], round: index + 1 }))
}

describe('the report beside R', () => {
  // The machine slowed down after the first round for one and before it for the other: medians differ, no round does.
  const relay = rounds(50, 80, 81, 50, 80)
  const parley = rounds(40, 64, 65, 40, 40)

  it('has the ratios of rounds', () => {
    const [line] = linesOf({ scenario: scenario(atMost(0.9)), outside: false, relay, parley })
    expect(line?.relay).toEqual({ least: 50, median: 80, most: 81 })
    expect(line?.parley).toEqual({ least: 40, median: 40, most: 65 })
    expect(line?.ratio?.least).toBe(0.5)
    expect(line?.ratio?.median).toBe(0.8)
    expect(line?.ratio?.most).toBeCloseTo(0.802, 3)
  })

  it.each([
    ['a share that most rounds reach', atMost(0.8), relay, parley, true],
    ['a share that two of five rounds reach', atMost(0.79), rounds(10, 10, 10, 10, 10), rounds(9, 9, 9, 1, 1), false],
    ['a margin that most rounds keep', atMostPlus(1, 'ms'), rounds(1, 2, 3), rounds(2, 3, 9), true],
    ['a share that one of two rounds reaches', atMost(1), rounds(1, 1), rounds(1, 2), false],
    ['an absolute figure', absolute('<= 2', (cpu) => cpu <= 2), rounds(0, 0, 0), rounds(1, 2, 3), true],
  ] as const)('judges %s', (_what, goal, of, by, reached) => {
    expect(linesOf({ scenario: scenario(goal), outside: false, relay: of, parley: by })[0]?.reached).toBe(reached)
  })

  it('holds a round against the same round of R, and judges nothing where R has none', () => {
    const late = rounds(10, 20, 30).slice(1)
    const [line] = linesOf({ scenario: scenario(atMost(1)), outside: false, relay: late, parley: rounds(1, 40, 15) })
    expect(line?.ratio).toEqual({ least: 0.5, median: 1.25, most: 2 })
    const [without] = linesOf({ scenario: scenario(atMost(1)), outside: false, relay: [], parley: rounds(1) })
    expect([without?.ratio, without?.reached]).toEqual([undefined, undefined])
  })

  it('judges by itself what R does nothing of', () => {
    const goal = absolute('<= 2', (cpu) => cpu <= 2)
    const [line] = linesOf({ scenario: scenario(goal, true), outside: false, relay: [], parley: rounds(1, 2, 3) })
    expect([line?.ratio, line?.reached]).toEqual([undefined, true])
  })

  it('has them also when it is read from a file of a version that wrote one of medians', async () => {
    const [line] = linesOf({ scenario: scenario(atMost(0.9)), outside: false, relay, parley })
    const old = { title: 'X', latency: '', relay, parley, lines: [{ ...line, ratio: 0.5 }] }
    const folder = await mkdtemp(join(tmpdir(), 'parley-report-'))
    try {
      await writeFile(
        join(folder, 'old.json'),
        JSON.stringify({ machine: '', began: '', command: '', scenarios: { x: old } }),
      )
      expect((await readReport(join(folder, 'old.json'))).scenarios['x']?.lines).toEqual([line])
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  it('shows a ratio as least, median and most', () => {
    const text = tableOf({ scenario: scenario(atMost(0.9)), outside: false, relay, parley })
    expect(text).toContain('| 50.0 - 80.0 - 81.0 | 40.0 - 40.0 - 65.0      | 0.50 - 0.80 - 0.80   | <= 0.9 R | yes')
  })
})
