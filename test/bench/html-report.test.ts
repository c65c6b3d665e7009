import { describe, expect, it } from 'vitest'
import { Latencies } from '../../bench/load/latencies.ts'
import { drawChart, numberText } from '../../bench/report/chart.ts'
import { htmlOf } from '../../bench/report/html-report.ts'
import { linesOf, type Report, tableOf } from '../../bench/report/report.ts'
import type { Point } from '../../bench/rig/point.ts'
import { atMost, type Sample, type Scenario } from '../../bench/scenarios/scenario.ts'

const SCENARIO: Scenario = {
  name: 'paced',
  title: 'paced: <b>200</b> sessions',
  latency: 'from "here" to there',
  metrics: [
    { key: 'cpu', label: 'server CPU s per million tokens', digits: 1, goal: atMost(0.9) },
    { key: 'p99', label: 'latency p99, ms', digits: 2 },
  ],
  measure: () => Promise.reject(new Error('not measured here')),
}

function sample(cpu: number, p99: number, isOurs = true): Sample {
  const latencies = new Latencies()
  for (let nth = 1; nth <= 10_000; nth++) latencies.add(nth)
  const points = [1, 2, 3].map((at): Point => {
    const server = isOurs ? { server: { cores: 0.5, rss: 140 } } : {}
    const rest = { at, seconds: 1, measured: at > 1, tokens: 1000 * at, handshakes: 0, errors: 0, load: 0.2 }
    return { ...rest, ...server, latency: { p50: at, p99: at * 10, max: at * 20 } }
  })
  return { values: { cpu, p99 }, notes: [], watched: { points, latencies: latencies.encode(), loadSide: 0.2 } }
}

function reportOf(relay: readonly Sample[], parley: readonly Sample[], outside = false): Report {
  const lines = linesOf({ scenario: SCENARIO, outside, relay, parley })
  const { title, latency } = SCENARIO
  const scenarios = { paced: { title, latency, lines, relay, parley } }
  return { machine: '2 x <Xeon>', began: '2026-01-02T03:04:05.678Z', command: 'npm run bench -- paced', scenarios }
}

/** Titles of the charts on a page. */
function charts(page: string): string[] {
  return [...page.matchAll(/<figcaption>([^<]+)/g)].map(([, title = '']) => title)
}

describe('the page of a report', () => {
  const page = htmlOf(reportOf([sample(60, 5)], [sample(50, 4), sample(52, 6)]))

  it('needs nothing from elsewhere and runs no script', () => {
    expect(page).not.toMatch(/<script|<link|<img|@import|url\(|https?:|\son\w+=/i)
  })

  it('says on what machine, when and by which command', () => {
    for (const text of ['2 x &lt;Xeon&gt;', '2026-01-02 03:04:05 UTC', 'npm run bench -- paced'])
      expect(page).toContain(text)
  })

  it('shows texts as texts', () => {
    expect(page).toContain('paced: &lt;b&gt;200&lt;/b&gt; sessions')
    expect(page).toContain('from &quot;here&quot; to there')
    expect(page).not.toContain('<b>')
  })

  it('has the table with its verdict, and every chart with named axes', () => {
    expect(page).toContain('<td>50.0 – 51.0 – 52.0</td>')
    expect(page).toContain('✓ yes')
    expect(charts(page)).toEqual([
      'Latency',
      'Latency by percentile',
      'Throughput',
      'CPU of the server',
      'Memory of the server',
      'CPU of the load',
    ])
    for (const label of ['ms, log scale', 'percentile', 'tokens per second', 'cores', 'RSS, MiB', 'seconds since'])
      expect(page).toContain(`>${label}`)
  })

  it('shades what was not measured, from the beginning to the first point that was', () => {
    const shades = [...page.matchAll(/<rect class="shade" x="62.0" y="14" width="([\d.]+)"/g)].map(([, width]) => width)
    // A second of three: in each chart over time.
    expect(shades).toHaveLength(5)
    expect(Number(shades[0]) * 3).toBeCloseTo(560 - 62 - 30, 0)
  })

  it('is well-formed, and no place in it is not a number', () => {
    expect(page).not.toMatch(/NaN|Infinity|undefined/)
    const opened = [...page.matchAll(/<(section|figure|svg|table|tr|td|th|span|div|dl|ul|li)[\s>]/g)].length
    const closed = [...page.matchAll(/<\/(section|figure|svg|table|tr|td|th|span|div|dl|ul|li)>/g)].length
    expect(opened).toBe(closed)
  })
})

describe('a report on a server of somebody else', () => {
  const theirs = sample(Number.NaN, 4, false)

  it('leaves out what is not known of it, and R, and goals', () => {
    const table = tableOf({ scenario: SCENARIO, outside: true, relay: [], parley: [theirs] })
    expect(table).toContain('latency p99, ms')
    expect(table).not.toMatch(/CPU|R \(|goal|NaN/)
    const page = htmlOf(reportOf([], [theirs], true))
    expect(charts(page)).toEqual(['Latency', 'Latency by percentile', 'Throughput', 'CPU of the load'])
    expect(page).not.toMatch(/NaN|<th scope="col">R</)
  })
})

describe('a chart', () => {
  const x = { label: 's', scale: 'linear' } as const

  it('of nothing is none', () => {
    expect(drawChart({ title: 't', x, y: x, series: [{ name: 'n', colour: 1, points: [] }] })).toBe('')
  })

  it('has decades on a log axis, and a place for zero on it', () => {
    const y = { label: 'ms', scale: 'log' } as const
    const chart = drawChart({
      title: 't',
      x,
      y,
      series: [
        {
          name: 'n',
          colour: 1,
          points: [
            [0, 0],
            [1, 0.5],
            [2, 80],
          ],
        },
      ],
    })
    expect([...chart.matchAll(/text-anchor="end">([^<]+)/g)].map(([, mark]) => mark)).toEqual(['0.1', '1', '10', '100'])
    expect(chart).not.toContain('NaN')
  })

  it('breaks a line where there is no value, and shows one that stands alone', () => {
    const points = [
      [0, 1],
      [1, 2],
      [2, undefined],
      [3, 4],
      [4, undefined],
    ] as const
    const chart = drawChart({ title: 't', x, y: x, series: [{ name: 'n', colour: 1, points }] })
    const [, path = ''] = /class="line line-1" d="([^"]+)"/.exec(chart) ?? []
    expect(path.replaceAll(/[\d. ]/g, '')).toBe('MLML')
    expect(path.split('M')[2]?.split('L')[0]).toBe(path.split('M')[2]?.split('L')[1])
  })

  it('of a line of zeros is flat at the bottom', () => {
    const chart = drawChart({
      title: 't',
      x,
      y: x,
      series: [
        {
          name: 'n',
          colour: 1,
          points: [
            [0, 0],
            [1, 0],
          ],
        },
      ],
    })
    expect(chart).not.toMatch(/NaN|Infinity/)
  })

  it('names large numbers shortly', () => {
    expect([0, 0.05, 0.30000000000000004, 9000, 20_000, 1_500_000].map(numberText)).toEqual([
      '0',
      '0.05',
      '0.3',
      '9000',
      '20k',
      '1.5M',
    ])
  })
})
