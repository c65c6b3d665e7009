import { readFile } from 'node:fs/promises'
import type { Report, ReportedScenario } from './report.ts'
import { ratiosOf, spreadOf } from './rounds.ts'

/** What `--json` wrote. Throws where it is something else. */
export async function readReport(file: string): Promise<Report> {
  const report: Report = JSON.parse(await readFile(file, 'utf8'))
  if (typeof report.scenarios !== 'object') throw new Error(`${file} is no report of the bench`)
  const scenarios = Object.entries(report.scenarios).map(([name, scenario]) => [name, withRatios(scenario)] as const)
  return { ...report, scenarios: Object.fromEntries(scenarios) }
}

/** Made anew from the samples: reports from before had one ratio a line, of medians. */
function withRatios(scenario: ReportedScenario): ReportedScenario {
  const { lines, parley, relay } = scenario
  return { ...scenario, lines: lines.map((line) => ({ ...line, ratio: spreadOf(ratiosOf(parley, relay, line.key)) })) }
}
