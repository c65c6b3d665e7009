// Joins the faults' TypeScript and runs it. `npm run faults -- --help`.

import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const PROJECT = fileURLToPath(new URL('../..', import.meta.url))
// Below the project, so that npm packages resolve; not in dist/, which every build empties. As deep as test/support/ is: what its
// files find from their own place (dist/) is found from here, too.
const OUT = `${PROJECT}node_modules/.parley-faults`

await build({
  absWorkingDir: PROJECT,
  entryPoints: ['test/faults/main.ts', 'test/faults/probe.ts', 'test/faults/soak-probe.ts'],
  outdir: OUT,
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  packages: 'external',
  logLevel: 'warning',
})

const child = spawn(process.execPath, ['--expose-gc', `${OUT}/main.js`, ...process.argv.slice(2)], {
  cwd: PROJECT,
  stdio: 'inherit',
})
child.on('exit', (code) => process.exit(code ?? 1))
// Ctrl-C reaches the whole group; the faults stop their servers themselves, this one only waits for them.
process.on('SIGINT', () => {})
