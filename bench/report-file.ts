import { readFile } from 'node:fs/promises'
import type { Report } from './report.ts'

/** What `--json` wrote. Throws where it is something else. */
export async function readReport(file: string): Promise<Report> {
  const report: Report = JSON.parse(await readFile(file, 'utf8'))
  if (typeof report.scenarios !== 'object') throw new Error(`${file} is no report of the bench`)
  return report
}
