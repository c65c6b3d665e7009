import type { Goal, Metric, Sample, Scenario } from '../scenarios/scenario.ts'
import { pairsOf, ratiosOf, type Spread, spreadOf, valuesOf } from './rounds.ts'

export type Results = {
  readonly scenario: Scenario
  /** Of a server that somebody else started: what is not known of it is left out, and so is R. */
  readonly outside: boolean
  readonly relay: readonly Sample[]
  readonly parley: readonly Sample[]
}

export type Line = {
  readonly key: string
  readonly metric: string
  /** Behind the point. */
  readonly digits: number
  readonly relay: Spread | undefined
  readonly parley: Spread | undefined
  /** Of Parley to R, round by round. */
  readonly ratio: Spread | undefined
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

const HEAD = ['', 'R (min-median-max)', 'Parley (min-median-max)', 'Parley / R, by round', 'goal', 'reached']
const HEAD_OUTSIDE = ['', 'min-median-max']

/** Digits of a ratio behind the point. */
export const RATIO_DIGITS = 2

/** The lines of a table; a metric that no sample knows has none. */
export function linesOf(results: Results): Line[] {
  const { scenario, outside, relay, parley } = results
  return scenario.metrics.flatMap(({ key, label, digits, goal }) => {
    const [of, by] = [spreadOf(valuesOf(relay, key)), spreadOf(valuesOf(parley, key))]
    if (of === undefined && by === undefined) return []
    const judged = outside ? undefined : goal
    const line: Line = {
      key,
      metric: label,
      digits,
      relay: of,
      parley: by,
      ratio: spreadOf(ratiosOf(parley, relay, key)),
      goal: judged?.text,
      reached: judged && isReached(judged, key, results),
    }
    return [line]
  })
}

/** Undefined where it was not measured. Where R does nothing of the kind the goals are absolute. */
function isReached({ reached }: Goal, key: Metric['key'], { scenario, relay, parley }: Results): boolean | undefined {
  const rounds =
    scenario.alone === true
      ? valuesOf(parley, key).map((own) => reached(own, Number.NaN))
      : pairsOf(parley, relay, key).map((pair) => reached(pair.own, pair.relay))
  return rounds.length === 0 ? undefined : rounds.filter(Boolean).length > rounds.length / 2
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
  return [metric, shown(relay, digits), shown(parley, digits), shown(ratio, RATIO_DIGITS), goal ?? '', verdict]
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

/** Least, median and most; once where they are the same. */
export function shown(values: Spread | undefined, digits: number): string {
  if (!values) return ''
  if (values.least === values.most) return values.median.toFixed(digits)
  return [values.least, values.median, values.most].map((value) => value.toFixed(digits)).join(' - ')
}
