import { median } from './latencies.ts'
import type { Metric, Sample, Scenario } from './scenario.ts'

export type Results = {
  readonly scenario: Scenario
  /** Of a server that somebody else started: what is not known of it is left out, and so is R. */
  readonly outside: boolean
  readonly relay: readonly Sample[]
  readonly parley: readonly Sample[]
}

export type Spread = { readonly least: number; readonly median: number; readonly most: number }

export type Line = {
  readonly key: string
  readonly metric: string
  /** Behind the point. */
  readonly digits: number
  readonly relay: Spread | undefined
  readonly parley: Spread | undefined
  readonly ratio: number | undefined
  readonly goal: string | undefined
  readonly reached: boolean | undefined
}

export type ReportedScenario = {
  readonly title: string
  /** What the latencies of its samples are. */
  readonly latency: string
  readonly lines: readonly Line[]
  readonly relay: readonly Sample[]
  readonly parley: readonly Sample[]
}

/** What `--json` writes. */
export type Report = {
  /** Node, kernel, cores. */
  readonly machine: string
  /** ISO 8601. */
  readonly began: string
  /** As it was typed. */
  readonly command: string
  readonly scenarios: Readonly<Record<string, ReportedScenario>>
}

const HEAD = ['', 'R (min-median-max)', 'Parley (min-median-max)', 'Parley / R', 'goal', 'reached']
const HEAD_OUTSIDE = ['', 'min-median-max']

/** What Parley is measured beside where R does nothing of the kind; goals are absolute there. */
const NOTHING: Spread = { least: Number.NaN, median: Number.NaN, most: Number.NaN }

/** The lines of a table; a metric that no sample knows has none. */
export function linesOf({ scenario, outside, relay, parley }: Results): Line[] {
  return scenario.metrics.flatMap((metric) => {
    const [of, by] = [spread(relay, metric.key), spread(parley, metric.key)]
    if (of === undefined && by === undefined) return []
    const goal = outside ? undefined : metric.goal
    const beside = of ?? (scenario.alone === true ? NOTHING : undefined)
    const line: Line = {
      key: metric.key,
      metric: metric.label,
      digits: metric.digits,
      relay: of,
      parley: by,
      ratio: of && by && of.median > 0 ? by.median / of.median : undefined,
      goal: goal?.text,
      reached: goal && beside && by ? goal.reached(by.median, beside.median) : undefined,
    }
    return [line]
  })
}

/** A Markdown table, padded to be read as it is. */
export function tableOf(results: Results): string {
  const lines = linesOf(results)
  const table = results.outside
    ? drawTable(
        HEAD_OUTSIDE,
        lines.map(({ metric, parley, digits }) => [metric, shown(parley, digits)]),
      )
    : drawTable(HEAD, lines.map(cellsOf))
  const title = `## ${results.scenario.title}`
  return [title, '', table, ...notesOf(results).map((note) => `* ${note}`), ''].join('\n')
}

/** A line as the table shows it, in the columns of R and Parley. */
export function cellsOf({ metric, relay, parley, digits, ratio, goal, reached }: Line): string[] {
  const verdict = reached === undefined ? '' : reached ? 'yes' : 'NO'
  return [metric, shown(relay, digits), shown(parley, digits), ratio?.toFixed(2) ?? '', goal ?? '', verdict]
}

export function notesOf({ relay, parley }: Pick<Results, 'relay' | 'parley'>): string[] {
  return [...new Set([...relay.flatMap(noteOf('R')), ...parley.flatMap(noteOf('Parley'))])]
}

/** A Markdown table whose columns stand under each other. */
export function drawTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)))
  return [head, widths.map((width) => '-'.repeat(width)), ...rows]
    .map((row) => `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`)
    .join('\n')
}

function noteOf(name: string): (sample: Sample) => string[] {
  return (sample) => sample.notes.map((note) => `${name}: ${note}`)
}

export function spread(samples: readonly Sample[], key: Metric['key']): Spread | undefined {
  const values = samples.map((sample) => sample.values[key]).filter(isKnown)
  if (values.length === 0) return undefined
  return { least: Math.min(...values), median: median(values), most: Math.max(...values) }
}

/** NaN is what could not be known: of a server that is not ours. Infinity is what became of nothing. */
function isKnown(value: number | undefined): value is number {
  return value !== undefined && Number.isFinite(value)
}

export function shown(values: Spread | undefined, digits: number): string {
  if (!values) return ''
  if (values.least === values.most) return values.median.toFixed(digits)
  return [values.least, values.median, values.most].map((value) => value.toFixed(digits)).join(' - ')
}
