import { writeFile } from 'node:fs/promises'
import { cpus, release } from 'node:os'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { Start } from './contender.ts'
import { startParley } from './contender-parley.ts'
import { startRelay } from './contender-relay.ts'
import { moveToCore, OTHER_CORE } from './processes.ts'
import { linesOf, type Report, type ReportedScenario, type Results, tableOf } from './report.ts'
import { Rig } from './rig.ts'
import type { Sample, Scenario } from './scenario.ts'
import { cold } from './scenario-cold.ts'
import { connect } from './scenario-connect.ts'
import { fanout } from './scenario-fanout.ts'
import { apart, full } from './scenario-full.ts'
import { idle } from './scenario-idle.ts'
import { paced } from './scenario-paced.ts'
import { resume } from './scenario-resume.ts'
import { stop } from './scenario-stop.ts'
import { write } from './scenario-write.ts'

const SCENARIOS: readonly Scenario[] = [full, apart, paced, stop, fanout, connect, resume, cold, write, idle]
/** Names of several. */
const GROUPS: Readonly<Record<string, readonly Scenario[]>> = {
  all: SCENARIOS,
  stream: [full, apart, paced],
  interrupt: [stop],
}
const HELP = `npm run bench -- [scenario...] [--rounds 3] [--only relay|parley] [--json FILE] [--profile DIR]
npm run bench -- compare BEFORE.json AFTER.json
scenarios: ${SCENARIOS.map(({ name }) => name).join(', ')}; stream (full, apart, paced), interrupt (stop), all (also when none is named)`

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '3' },
    only: { type: 'string' },
    json: { type: 'string' },
    profile: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})

function chosen(): readonly Scenario[] {
  const named = positionals.length === 0 ? ['all'] : positionals
  return [
    ...new Set(
      named.flatMap((name) => {
        const found = GROUPS[name] ?? SCENARIOS.filter((scenario) => scenario.name === name)
        if (found.length === 0) throw new Error(`no scenario ${name}\n${HELP}`)
        return found
      }),
    ),
  ]
}

/** With `--profile DIR`, Node leaves a .cpuprofile of each server there when it ends: for the developer tools of a browser. */
const startMeasured: Start = (place) => {
  const { profile } = options
  if (profile === undefined) return startParley(place)
  return startParley({ ...place, nodeArgs: ['--cpu-prof', `--cpu-prof-dir=${profile}`] })
}

/** R and Parley take turns, so that a change of the machine's mood falls on both. */
async function measure(rig: Rig, scenario: Scenario, rounds: number): Promise<Results> {
  const relay: Sample[] = []
  const parley: Sample[] = []
  const take = async (name: string, start: Start, into: Sample[], round: number): Promise<void> => {
    if (options.only ? options.only !== name : scenario.alone === true && name === 'relay') return
    console.error(`${scenario.name}: ${name}, round ${round + 1} of ${rounds}`)
    into.push(await scenario.measure(rig, start))
  }
  for (let round = 0; round < rounds; round += 1) {
    await take('relay', startRelay, relay, round)
    await take('parley', startMeasured, parley, round)
  }
  return { scenario, relay, parley }
}

async function main(): Promise<void> {
  if (options.help) return console.log(HELP)
  const scenarios = chosen()
  moveToCore(process.pid, OTHER_CORE)
  const rig = await Rig.start(dirname(fileURLToPath(import.meta.url)))
  const measured: Record<string, ReportedScenario> = {}
  const machine = `Node ${process.version}, Linux ${release()}, ${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}`
  try {
    console.log(`# Bench: ${machine}\n`)
    for (const scenario of scenarios) {
      const results = await measure(rig, scenario, Number(options.rounds))
      console.log(tableOf(results))
      const { relay, parley } = results
      measured[scenario.name] = { title: scenario.title, lines: linesOf(results), relay, parley }
    }
  } finally {
    await rig.stop()
  }
  const report: Report = { machine, scenarios: measured }
  if (options.json) await writeFile(options.json, `${JSON.stringify(report, undefined, 2)}\n`)
}

await main()
