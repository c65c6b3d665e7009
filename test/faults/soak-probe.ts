/** Loaded into the server (`--import`): at SIGUSR2 it collects garbage and prints what the process holds. */
import { readdirSync } from 'node:fs'
import { setImmediate as turn } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { PROBE_LINE, type ProbeFigures } from './soak-figures.ts'

/** Collections: what a finaliser lets go of in one is free in the next. */
const PASSES = 4

setFlagsFromString('--expose-gc')
const gc: unknown = runInNewContext('gc')

async function collect(): Promise<void> {
  for (let pass = 0; pass < PASSES; pass++) {
    if (typeof gc === 'function') gc()
    await turn()
  }
}

function countByKind(kinds: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const kind of kinds) counts[kind] = (counts[kind] ?? 0) + 1
  return counts
}

async function look(): Promise<void> {
  await collect()
  const { heapUsed, rss, external } = process.memoryUsage()
  const figures: ProbeFigures = {
    heap: heapUsed,
    rss,
    external,
    // Reading the directory opens one itself.
    files: readdirSync('/proc/self/fd').length - 1,
    resources: countByKind(process.getActiveResourcesInfo()),
  }
  process.stdout.write(`${PROBE_LINE}${JSON.stringify(figures)}\n`)
}

process.on('SIGUSR2', () => void look())
