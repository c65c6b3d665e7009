// usage: node .ci/summary.mjs FOLDER FAILED_PARTS
//
// Adds up the vitest reports in a folder and prints one line, "N passed, N failed, N skipped". A file that could not be
// loaded ran no test: it counts as one failure. Parts of the run that failed without a test (types, lint) count as well.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const [folder = '.', failedParts = '0'] = process.argv.slice(2)
const total = { passed: 0, failed: 0, skipped: 0 }

for (const name of readdirSync(folder).filter((each) => each.endsWith('.json'))) {
  const report = JSON.parse(readFileSync(join(folder, name), 'utf8'))
  const unloaded = report.testResults.filter((file) => file.status === 'failed' && file.assertionResults.length === 0)
  total.passed += report.numPassedTests
  total.failed += report.numFailedTests + unloaded.length
  total.skipped += report.numPendingTests + report.numTodoTests
}
total.failed = Math.max(total.failed, Number(failedParts))

console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`)
