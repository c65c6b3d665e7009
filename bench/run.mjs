// Joins the bench's TypeScript and runs it. `npm run bench -- --help`, `npm run bench:guard`.

import { spawn } from 'node:child_process'
import { cpSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const PROJECT = fileURLToPath(new URL('..', import.meta.url))
// Below the project, so that npm packages resolve; not in dist/, which every build empties.
const OUT = `${PROJECT}node_modules/.cache/parley-bench`

await build({
  absWorkingDir: PROJECT,
  entryPoints: ['main', 'guard', 'compare', 'html', 'relay', 'upstream', 'load', 'writer', 'probe', 'peers'].map(
    (name) => `bench/${name}.ts`,
  ),
  outdir: OUT,
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  packages: 'external',
  logLevel: 'warning',
})

// The store in writer.js finds them beside itself.
cpSync(`${PROJECT}src/storage/migrations`, `${OUT}/migrations`, { recursive: true })

const [first, ...rest] = process.argv.slice(2)
const [program, args] = ['guard', 'compare', 'html', 'peers'].includes(first)
  ? [first, rest]
  : ['main', process.argv.slice(2)]
const child = spawn(process.execPath, [`${OUT}/${program}.js`, ...args], { cwd: PROJECT, stdio: 'inherit' })
child.on('exit', (code) => process.exit(code ?? 1))
// Ctrl-C reaches the whole group; the bench itself stops its servers, this one only waits for it.
process.on('SIGINT', () => {})
