import { median } from './latencies.ts'
import type { Metric, Sample, Scenario } from './scenario.ts'

export type Results = {
  readonly scenario: Scenario
  readonly relay: readonly Sample[]
  readonly parley: readonly Sample[]
}

type Spread = { readonly least: number; readonly median: number; readonly most: number }

export type Line = {
  readonly key: string
  readonly metric: string
  readonly relay: Spread | undefined
  readonly parley: Spread | undefined
  readonly ratio: number | undefined
  readonly goal: string | undefined
  readonly reached: boolean | undefined
}

export type ReportedScenario = {
  readonly title: string
  readonly lines: readonly Line[]
  readonly relay: readonly Sample[]
  readonly parley: readonly Sample[]
}

/** What `--json` writes. */
export type Report = {
  /** Node, kernel, cores. */
  readonly machine: string
  readonly scenarios: Readonly<Record<string, ReportedScenario>>
}

const HEAD = ['', 'R (min-median-max)', 'Parley (min-median-max)', 'Parley / R', 'goal', 'reached']

/** What Parley is measured beside where R does nothing of the kind; goals are absolute there. */
const NOTHING: Spread = { least: Number.NaN, median: Number.NaN, most: Number.NaN }

export function linesOf({ scenario, relay, parley }: Results): Line[] {
  return scenario.metrics.map((metric) => {
    const [of, by] = [spread(relay, metric.key), spread(parley, metric.key)]
    const beside = of ?? (scenario.alone === true ? NOTHING : undefined)
    const judged = metric.goal && beside && by ? metric.goal.reached(by.median, beside.median) : undefined
    return {
      key: metric.key,
      metric: metric.label,
      relay: of,
      parley: by,
      ratio: of && by && of.median > 0 ? by.median / of.median : undefined,
      goal: metric.goal?.text,
      reached: judged,
    }
  })
}

/** A Markdown table, padded to be read as it is. */
export function tableOf(results: Results): string {
  const rows = linesOf(results).map((line, index) => {
    const digits = results.scenario.metrics[index]?.digits ?? 2
    const verdict = line.reached === undefined ? '' : line.reached ? 'yes' : 'NO'
    return [
      line.metric,
      shown(line.relay, digits),
      shown(line.parley, digits),
      line.ratio?.toFixed(2) ?? '',
      line.goal ?? '',
      verdict,
    ]
  })
  const notes = [...results.relay.map(noteOf('R')), ...results.parley.map(noteOf('Parley'))].flat()
  const title = `## ${results.scenario.title}`
  return [title, '', drawTable(HEAD, rows), ...[...new Set(notes)].map((note) => `* ${note}`), ''].join('\n')
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

function spread(samples: readonly Sample[], key: Metric['key']): Spread | undefined {
  const values = samples.map((sample) => sample.values[key]).filter((value) => value !== undefined)
  if (values.length === 0) return undefined
  return { least: Math.min(...values), median: median(values), most: Math.max(...values) }
}

function shown(values: Spread | undefined, digits: number): string {
  if (!values) return ''
  return [values.least, values.median, values.most].map((value) => value.toFixed(digits)).join(' - ')
}
