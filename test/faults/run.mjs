// Joins the faults' TypeScript and runs it. `npm run faults -- --help`.

import { spawn, spawnSync } from 'node:child_process'
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const PROJECT = fileURLToPath(new URL('../..', import.meta.url))
// Below the project, so that npm packages resolve. A folder of its own with a dist/ of its own: another build, or these faults in
// another terminal, take nothing from under its servers.
const ALL = join(PROJECT, 'node_modules/.parley-faults')
const OUT = join(ALL, String(process.pid))

dropLeft()
process.on('exit', () => rmSync(OUT, { recursive: true, force: true }))
const built = spawnSync(process.execPath, [join(PROJECT, 'scripts/build.mjs'), join(OUT, 'dist')], {
  stdio: ['ignore', 'ignore', 'inherit'],
})
if (built.status !== 0) process.exit(1)
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

/** What is there of runs that were killed, or of the time when all shared one folder. */
function dropLeft() {
  try {
    for (const name of readdirSync(ALL))
      if (!isAlive(Number(name))) rmSync(join(ALL, name), { recursive: true, force: true })
  } catch (thrown) {
    if (thrown.code !== 'ENOENT') throw thrown
  }
}

function isAlive(pid) {
  try {
    return process.kill(pid, 0)
  } catch (thrown) {
    return thrown.code === 'EPERM'
  }
}

const groups = readGroups(process.argv.slice(2))
// Ctrl-C reaches the whole process group; the faults stop their servers themselves, this one only waits for them.
process.on('SIGINT', () => {})
const codes = await Promise.all(groups.map((args, nth) => play(args, nth > 0)))
process.exit(codes.find((code) => code !== 0) ?? 0)

/** Faults on both sides of a `+` are played at the same time: much of them is waiting. Each side has options of its own. */
function readGroups(args) {
  const all = [[]]
  for (const arg of args) {
    if (arg === '+') all.push([])
    else all.at(-1).push(arg)
  }
  return all
}

/** Its exit code. What is `held` back is printed at the end, so that lines of two groups do not mix. */
function play(args, held) {
  const stdio = ['inherit', held ? 'pipe' : 'inherit', 'inherit']
  const child = spawn(process.execPath, ['--expose-gc', `${OUT}/main.js`, ...args], { cwd: OUT, stdio })
  let text = ''
  child.stdout?.setEncoding('utf8').on('data', (part) => {
    text += part
  })
  return new Promise((resolve) => {
    child.on('close', (code) => {
      process.stdout.write(text)
      resolve(code ?? 1)
    })
  })
}
