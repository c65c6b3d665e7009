/** A report as a page: one file, nothing from elsewhere, no script. */

import { Latencies } from '../load/latencies.ts'
import type { Point } from '../rig/point.ts'
import type { Sample } from '../scenarios/scenario.ts'
import { type Axis, type Chart, drawChart, escape, type Series } from './chart.ts'
import { STYLE } from './html-style.ts'
import { cellsOf, type Line, notesOf, type Report, type ReportedScenario } from './report.ts'

const R = 'R'
const PARLEY = 'Parley'
/** Of `line-N` in the style sheet. */
const COLOURS = { [PARLEY]: 1, [R]: 2 }
/** Where a latency is read off: nines are as far apart as tens. */
const SHARES = [0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9995, 0.9999, 0.99999, 0.999999]
const NINES: readonly (readonly [number, string])[] = [
  [0, '0 %'],
  [1, '90 %'],
  [2, '99 %'],
  [3, '99.9 %'],
  [4, '99.99 %'],
  [5, '99.999 %'],
]
const PERCENTILE_AXIS: Axis = { label: 'percentile', scale: 'linear', marks: NINES }
/** Between two looks that follow each other: nothing to be shaded. */
const GAP_SECONDS = 0.1
const SECONDS: Axis = { label: 'seconds since the measurement began', scale: 'linear' }

export function htmlOf({ machine, began, command, scenarios }: Report): string {
  const entries = Object.entries(scenarios)
  const links = entries.map(([name]) => `<a href="#${escape(name)}">${escape(name)}</a>`)
  const sections = entries.map(([name, scenario]) => sectionOf(name, scenario))
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Parley bench, ${escape(began.slice(0, 10))}</title>
<style>${STYLE}</style>
</head>
<body>
<header>
<h1>Parley bench</h1>
<dl>
<dt>machine</dt><dd>${escape(machine)}</dd>
<dt>began</dt><dd>${escape(began.replace('T', ' ').replace(/\.\d+Z$/, ' UTC'))}</dd>
<dt>command</dt><dd><code>${escape(command)}</code></dd>
</dl>
<nav>${links.join('')}</nav>
</header>
<main>
${sections.join('\n')}
</main>
<footer>Charts over time show the last round; shaded is when Parley was not measured: starting, warming up, settling. Percentiles are of what was
measured, all rounds together. The table has least, median and most of the rounds.</footer>
</body>
</html>
`
}

function sectionOf(name: string, scenario: ReportedScenario): string {
  const { title, lines, relay } = scenario
  const notes = notesOf(scenario).map((note) => `<li>${escape(note)}</li>`)
  const charts = [
    latencyOverTime(scenario),
    percentiles(scenario),
    overTime('Throughput', throughputLabel(scenario), scenario, throughputOf(scenario)),
    overTime('CPU of the server', 'cores', scenario, ({ server }) => server?.cores),
    overTime('Memory of the server', 'RSS, MiB', scenario, ({ server }) => server?.rss),
    overTime('CPU of the load', 'cores of its busiest process', scenario, ({ load }) => load),
  ].filter((chart) => chart !== '')
  return `<section id="${escape(name)}">
<h2>${escape(title)}</h2>
${tableOf(lines, relay.length > 0)}
${notes.length > 0 ? `<ul class="notes">${notes.join('')}</ul>` : ''}
${charts.length > 0 ? `<p class="about">Latency: ${escape(scenario.latency)}.</p><div class="charts">${charts.join('\n')}</div>` : ''}
</section>`
}

/** Columns that nobody filled are left out. */
function tableOf(lines: readonly Line[], beside: boolean): string {
  const judged = lines.some(({ goal }) => goal !== undefined)
  const head = ['', R, PARLEY, 'Parley / R, by round', 'goal', 'reached']
  const shown = [true, beside, true, beside, judged, judged]
  const cells = (row: readonly string[], cell: (text: string, column: number) => string): string =>
    row.map((text, column) => (shown[column] === true ? cell(text, column) : '')).join('')
  const rows = lines.map((line) =>
    cells(cellsOf(line), (text, column) => {
      if (column === 0) return `<th scope="row">${escape(text)}</th>`
      if (column === 5)
        return `<td class="${text === 'yes' ? 'good' : text === 'NO' ? 'bad' : ''}">${verdict(text)}</td>`
      return `<td>${escape(text.replaceAll(' - ', ' – ').replace('<=', '≤').replace('>=', '≥'))}</td>`
    }),
  )
  return `<div class="table"><table>
<thead><tr>${cells(head, (text, column) => (column === 0 ? '<td></td>' : `<th scope="col">${text}</th>`))}</tr></thead>
<tbody>${rows.map((row) => `<tr>${row}</tr>`).join('\n')}</tbody>
</table></div>`
}

/** Not by colour alone. */
function verdict(text: string): string {
  return text === 'yes' ? '✓ yes' : text === 'NO' ? '✗ no' : ''
}

function latencyOverTime(scenario: ReportedScenario): string {
  const line = (name: string, colour: number, of: Sample | undefined, key: 'p50' | 'p99'): Series => ({
    name: `${name} ${key}`,
    colour,
    points: pointsOf(of).map(({ at, latency }) => [at, latency?.[key]]),
  })
  const [parley, relay] = [scenario.parley.at(-1), scenario.relay.at(-1)]
  const series = [
    line(PARLEY, COLOURS[PARLEY], parley, 'p50'),
    line(PARLEY, 3, parley, 'p99'),
    line(R, COLOURS[R], relay, 'p50'),
    line(R, 4, relay, 'p99'),
  ]
  return drawOverTime({ title: 'Latency', x: SECONDS, y: { label: 'ms, log scale', scale: 'log' }, series }, scenario)
}

function overTime(
  title: string,
  label: string,
  scenario: ReportedScenario,
  value: (point: Point) => number | undefined,
): string {
  const line = (name: string, colour: number, of: Sample | undefined): Series => ({
    name,
    colour,
    points: pointsOf(of).map((point) => [point.at, value(point)]),
  })
  const series = [line(PARLEY, COLOURS[PARLEY], scenario.parley.at(-1)), line(R, COLOURS[R], scenario.relay.at(-1))]
  return drawOverTime({ title, x: SECONDS, y: { label, scale: 'linear' }, series }, scenario)
}

function drawOverTime(chart: Chart, scenario: ReportedScenario): string {
  return drawChart({
    ...chart,
    shaded: unmeasured(pointsOf(scenario.parley.at(-1))),
  })
}

/** What lies between the points that are measured, from the beginning on: [from, to] in seconds. */
function unmeasured(points: readonly Point[]): (readonly [number, number])[] {
  const measured = points.filter((point) => point.measured).map(({ at, seconds }) => [at - seconds, at] as const)
  const starts = [0, ...measured.map(([, end]) => end)]
  const ends = [...measured.map(([start]) => start), points.at(-1)?.at ?? 0]
  return starts.map((from, nth) => [from, ends[nth] ?? from] as const).filter(([from, to]) => to - from > GAP_SECONDS)
}

/** Tokens, or handshakes where those are the work. */
function isAboutTokens({ parley }: ReportedScenario): boolean {
  const sum = (of: (point: Point) => number): number =>
    pointsOf(parley.at(-1)).reduce((all, point) => all + of(point), 0)
  return sum(({ tokens }) => tokens) >= sum(({ handshakes }) => handshakes)
}

function throughputLabel(scenario: ReportedScenario): string {
  return isAboutTokens(scenario) ? 'tokens per second' : 'handshakes per second'
}

function throughputOf(scenario: ReportedScenario): (point: Point) => number {
  return isAboutTokens(scenario) ? ({ tokens }) => tokens : ({ handshakes }) => handshakes
}

function percentiles({ relay, parley }: ReportedScenario): string {
  const series = [lineOfShares(PARLEY, COLOURS[PARLEY], parley), lineOfShares(R, COLOURS[R], relay)]
  return drawChart({
    title: 'Latency by percentile',
    x: PERCENTILE_AXIS,
    y: { label: 'ms, log scale', scale: 'log' },
    series,
  })
}

function lineOfShares(name: string, colour: number, samples: readonly Sample[]): Series {
  const all = new Latencies()
  for (const { watched } of samples) all.merge(Latencies.decode(watched?.latencies ?? ''))
  const { count } = all
  // A percentile of which there is less than one is not known.
  const shares = count === 0 ? [] : SHARES.filter((share) => count * (1 - share) >= 1)
  return {
    name: `${name} (${count.toLocaleString('en-US')})`,
    colour,
    points: shares.map((share) => [nines(share), all.at(share)]),
  }
}

function nines(share: number): number {
  return -Math.log10(1 - share)
}

function pointsOf(sample: Sample | undefined): readonly Point[] {
  return sample?.watched?.points ?? []
}
