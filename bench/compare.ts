/**
 * Two reports of `npm run bench -- --json FILE`, before and after a change: `npm run bench -- compare BEFORE AFTER`. What R was
 * measured beside is compared as a share of R, round by round: the machine's mood is in both.
 */
import { drawTable, type ReportedScenario } from './report/report.ts'
import { readReport } from './report/report-file.ts'
import { ratiosOf, type Spread, spreadOf, valuesOf } from './report/rounds.ts'

const HEAD = ['', 'before (min-median-max)', 'after (min-median-max)', 'change', '']
const PERCENT = 100
const DIGITS = 3

/** A metric's value in each round: over R's of the same round where there is one. */
function roundsOf(
  { relay, parley }: ReportedScenario,
  key: string,
): { readonly values: number[]; readonly unit: string } {
  const shares = ratiosOf(parley, relay, key)
  return shares.length > 0 ? { values: shares, unit: ' R' } : { values: valuesOf(parley, key), unit: '' }
}

function shown({ least, median: middle, most }: Spread, unit: string): string {
  return `${[least, middle, most].map((value) => value.toPrecision(DIGITS)).join(' - ')}${unit}`
}

/** Ranges that overlap say nothing: the rounds of one report differ as much among themselves. */
function verdictOf(before: Spread, after: Spread): string {
  if (after.least > before.most) return 'more'
  if (after.most < before.least) return 'less'
  return 'within the noise'
}

function rowOf(label: string, key: string, before: ReportedScenario, after: ReportedScenario): string[] {
  const [one, other] = [roundsOf(before, key), roundsOf(after, key)]
  const [from, to] = [spreadOf(one.values), spreadOf(other.values)]
  if (from === undefined || to === undefined) return [label, '', '', '', 'measured in one of them only']
  if (one.unit !== other.unit)
    return [label, shown(from, one.unit), shown(to, other.unit), '', 'R was measured in one of them only']
  const change = from.median === 0 ? '' : `${((to.median / from.median - 1) * PERCENT).toFixed(1)} %`
  return [label, shown(from, one.unit), shown(to, other.unit), change, verdictOf(from, to)]
}

const [beforeFile, afterFile] = process.argv.slice(2)
if (beforeFile === undefined || afterFile === undefined)
  throw new Error('npm run bench -- compare BEFORE.json AFTER.json')
const [before, after] = await Promise.all([readReport(beforeFile), readReport(afterFile)])
if (before.machine !== after.machine) console.log(`! not the same machine: ${before.machine} and ${after.machine}\n`)
for (const [name, scenario] of Object.entries(before.scenarios)) {
  const other = after.scenarios[name]
  if (other === undefined) continue
  const rows = scenario.lines.map(({ key, metric }) => rowOf(metric, key, scenario, other))
  console.log(`## ${scenario.title}\n\n${drawTable(HEAD, rows)}\n`)
}
