/** The page of a report that is there: `npm run bench -- html REPORT.json REPORT.html`. */
import { writeFile } from 'node:fs/promises'
import { htmlOf } from './report/html-report.ts'
import { readReport } from './report/report-file.ts'

const [from, to] = process.argv.slice(2)
if (from === undefined || to === undefined) throw new Error('npm run bench -- html REPORT.json REPORT.html')
await writeFile(to, htmlOf(await readReport(from)))
