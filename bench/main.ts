import { writeFile } from 'node:fs/promises'
import { cpus, release } from 'node:os'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { Start } from './contender.ts'
import { startParley } from './contender-parley.ts'
import { startRelay } from './contender-relay.ts'
import { moveToCore, OTHER_CORE } from './processes.ts'
import { linesOf, type Results, tableOf } from './report.ts'
import { Rig } from './rig.ts'
import type { Sample, Scenario } from './scenario.ts'
import { apart, full } from './scenario-full.ts'
import { idle } from './scenario-idle.ts'
import { paced } from './scenario-paced.ts'
import { stop } from './scenario-stop.ts'

const SCENARIOS: readonly Scenario[] = [full, apart, paced, idle, stop]
const HELP = `npm run bench -- [scenario...] [--rounds 3] [--only relay|parley] [--json FILE]
scenarios: ${SCENARIOS.map(({ name }) => name).join(', ')}; all when none is named`

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '3' },
    only: { type: 'string' },
    json: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})

function chosen(): readonly Scenario[] {
  const unknown = positionals.filter((name) => !SCENARIOS.some((scenario) => scenario.name === name))
  if (unknown.length > 0) throw new Error(`no scenario ${unknown.join(', ')}\n${HELP}`)
  return positionals.length === 0 ? SCENARIOS : SCENARIOS.filter(({ name }) => positionals.includes(name))
}

/** R and Parley take turns, so that a change of the machine's mood falls on both. */
async function measure(rig: Rig, scenario: Scenario, rounds: number): Promise<Results> {
  const relay: Sample[] = []
  const parley: Sample[] = []
  const take = async (name: string, start: Start, into: Sample[], round: number): Promise<void> => {
    if (options.only && options.only !== name) return
    console.error(`${scenario.name}: ${name}, round ${round + 1} of ${rounds}`)
    into.push(await scenario.measure(rig, start))
  }
  for (let round = 0; round < rounds; round += 1) {
    await take('relay', startRelay, relay, round)
    await take('parley', startParley, parley, round)
  }
  return { scenario, relay, parley }
}

async function main(): Promise<void> {
  if (options.help) return console.log(HELP)
  const scenarios = chosen()
  moveToCore(process.pid, OTHER_CORE)
  const rig = await Rig.start(dirname(fileURLToPath(import.meta.url)))
  const report: Record<string, unknown> = {}
  try {
    console.log(
      `# Bench: Node ${process.version}, Linux ${release()}, ${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}\n`,
    )
    for (const scenario of scenarios) {
      const results = await measure(rig, scenario, Number(options.rounds))
      console.log(tableOf(results))
      report[scenario.name] = { lines: linesOf(results), relay: results.relay, parley: results.parley }
    }
  } finally {
    await rig.stop()
  }
  if (options.json) await writeFile(options.json, `${JSON.stringify(report, undefined, 2)}\n`)
}

await main()
