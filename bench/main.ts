import { writeFile } from 'node:fs/promises'
import { availableParallelism, cpus, release } from 'node:os'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Contender, Start } from './contenders/contender.ts'
import { greet, outside } from './contenders/contender-outside.ts'
import { startParley, TRANSPORT } from './contenders/contender-parley.ts'
import { requireUws, startRelay } from './contenders/contender-relay.ts'
import { htmlOf } from './report/html-report.ts'
import { linesOf, type Report, type ReportedScenario, type Results, tableOf } from './report/report.ts'
import { Monitor } from './rig/monitor.ts'
import { BenchError, type Options, readOptions } from './rig/options.ts'
import { moveToCore, OTHER_CORE } from './rig/processes.ts'
import { Progress } from './rig/progress.ts'
import { Rig } from './rig/rig.ts'
import { aomi } from './scenarios/aomi.ts'
import { cold } from './scenarios/cold.ts'
import { connect } from './scenarios/connect.ts'
import { fanout } from './scenarios/fanout.ts'
import { flood } from './scenarios/flood.ts'
import { apart, full } from './scenarios/full.ts'
import { idle } from './scenarios/idle.ts'
import { keys } from './scenarios/keys.ts'
import { mixed } from './scenarios/mixed.ts'
import { outsideScenarios } from './scenarios/outside.ts'
import { paced } from './scenarios/paced.ts'
import { resume } from './scenarios/resume.ts'
import { comeBack } from './scenarios/return.ts'
import type { Sample, Scenario } from './scenarios/scenario.ts'
import { soak } from './scenarios/soak.ts'
import { stop } from './scenarios/stop.ts'
import { write } from './scenarios/write.ts'

/** Names of several; and `all`. */
const GROUPS: Readonly<Record<string, readonly string[]>> = { stream: ['full', 'apart', 'paced'], interrupt: ['stop'] }
const HELP = `npm run bench -- [scenario...] [options]        servers that the bench starts: R and Parley
npm run bench -- [scenario...] --url ws://127.0.0.1:8080 --app ID --key KEY    a server that runs already
npm run bench -- compare BEFORE.json AFTER.json
npm run bench -- html REPORT.json REPORT.html
scenarios: full, apart, paced, stop, fanout, connect, keys, flood, return, resume, cold, write, aomi, idle, mixed, soak; with --url: connect, paced, stop,
  fanout, resume, mixed, soak; stream (full, apart, paced), interrupt (stop), all (also when none is named)

  --rounds N       how often, 3 by default, with --url once
  --json FILE      every sample, for compare and html
  --html FILE      a page with charts
  --loaders N      load processes, 1 by default: more when it says that the load side is the bottleneck
  --only NAME      relay or parley
  --profile DIR    a .cpuprofile of each Parley
  --minutes M      of mixed (1 by default) and soak (2)
  --arrivals N     people a second at the busiest, of mixed (10 by default) and soak (5)
  --seed N         of mixed and soak
  --keys N         clients of return (5,000 by default)
with --url:
  --key KEY        a secret key of the App, or PARLEY_KEY; the default App needs none
  --app ID         "default" by default; its model has to be scripted/demo, except for connect
  --sessions N     connections at once, instead of each scenario's own
  --rate N         numbers per second of its model, 20 by default: a quarter of its PARLEY_SCRIPTED_RATE
  --allow-remote   load another machine than this one: only what is yours`

/** What Parley says to a handshake beyond its `PARLEY_CONNECTIONS`. */
const SERVER_FULL = 'as many connections as it may'
/** Above this share of its core the load side may be what limits the figures. */
const LOAD_SIDE_FULL = 0.8

function scenariosOf(options: Options): readonly Scenario[] {
  const people = [mixed(options), soak(options)]
  if (options.outside) return [...outsideScenarios(options.outside), ...people]
  const gate = [keys, flood, comeBack(options)]
  return [full, apart, paced, stop, fanout, connect, ...gate, resume, cold, write, aomi, idle, ...people]
}

function chosen(options: Options): readonly Scenario[] {
  const all = scenariosOf(options)
  const there = all.map((scenario) => scenario.name)
  // Not all of a group can be done to a server that runs already.
  const names = (options.names.length === 0 ? ['all'] : options.names).flatMap((name) =>
    name === 'all' ? there : (GROUPS[name]?.filter((member) => there.includes(member)) ?? [name]),
  )
  return [...new Set(names)].map((name) => {
    const found = all.find((scenario) => scenario.name === name)
    if (found !== undefined) return found
    throw new BenchError(`no scenario ${name}${options.outside ? ' with --url' : ''}: ${there.join(', ')}`)
  })
}

/** With `--profile DIR`, Node leaves a .cpuprofile of each server there when it ends: for the developer tools of a browser. */
function startMeasured({ profile }: Options): Start {
  if (profile === undefined) return startParley
  return (place) => startParley({ ...place, nodeArgs: ['--cpu-prof', `--cpu-prof-dir=${profile}`] })
}

/** The monitor looks at whatever server is started, also anew. */
function followed(monitor: Monitor, start: Start): Start {
  const follow = (contender: Contender): Contender => {
    monitor.follow(contender)
    return { ...contender, restart: async () => follow(await contender.restart()) }
  }
  return async (place) => follow(await start(place))
}

async function takeOne(rig: Rig, scenario: Scenario, start: Start, title: string): Promise<Sample> {
  rig.monitor.begin(title)
  try {
    const sample = await scenario.measure(rig, followed(rig.monitor, start))
    const watched = rig.monitor.end()
    return { ...sample, notes: [...sample.notes, ...loadSideNotes(watched.loadSide)], watched }
  } finally {
    rig.monitor.end()
  }
}

function loadSideNotes(share: number): readonly string[] {
  if (share <= LOAD_SIDE_FULL) return []
  const advice =
    availableParallelism() > 2 ? 'measure again with more --loaders' : 'this machine has no core to spare for --loaders'
  return [
    `the load side took ${share.toFixed(2)} of its core: throughput is a lower bound, latencies an upper one; ${advice}`,
  ]
}

/** R and Parley take turns, so that a change of the machine's mood falls on both. */
async function measure(rig: Rig, scenario: Scenario, options: Options): Promise<Results> {
  const relay: Sample[] = []
  const parley: Sample[] = []
  const take = async (name: string, start: Start, into: Sample[], round: number): Promise<void> => {
    if (options.only ? options.only !== name : name === 'relay' && scenario.alone === true) return
    const title = `${scenario.name}: ${options.outside?.url ?? name}, round ${round + 1} of ${options.rounds}`
    console.error(title)
    // Short: a terminal's line has figures to hold.
    const short = `${scenario.name}${options.outside ? '' : ` ${name}`} ${round + 1}/${options.rounds}`
    into.push({ ...(await takeOne(rig, scenario, start, short)), round: round + 1 })
  }
  for (let round = 0; round < options.rounds; round += 1) {
    if (options.outside === undefined) await take('relay', startRelay, relay, round)
    await take('parley', options.outside ? outside(options.outside) : startMeasured(options), parley, round)
  }
  return { scenario, relay, parley, outside: options.outside !== undefined }
}

async function startRig(options: Options): Promise<Rig> {
  const outDir = dirname(fileURLToPath(import.meta.url))
  const rig = { outDir, loaders: options.loaders, monitor: new Monitor(new Progress()) }
  if (options.outside) return Rig.beside(rig)
  moveToCore(process.pid, OTHER_CORE)
  return Rig.start(rig)
}

async function main(options: Options): Promise<void> {
  if (options.help) return console.log(HELP)
  const scenarios = chosen(options)
  if (options.outside)
    await greet(
      options.outside,
      scenarios.some(({ name }) => name !== 'connect'),
    )
  else if (options.only !== 'parley' || TRANSPORT === 'uws') requireUws()
  const rig = await startRig(options)
  const measured: Record<string, ReportedScenario> = {}
  const machine = `Node ${process.version}, Linux ${release()}, ${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}`
  const began = new Date().toISOString()
  try {
    console.log(`# Bench: ${machine}\n`)
    if (options.outside)
      console.log(
        `Against ${options.outside.url}, which somebody else started: its CPU and memory are not read, and R is not beside it.\n`,
      )
    for (const scenario of scenarios) {
      const results = await measure(rig, scenario, options)
      console.log(tableOf(results))
      const { relay, parley } = results
      measured[scenario.name] = {
        title: scenario.title,
        latency: scenario.latency,
        lines: linesOf(results),
        relay,
        parley,
      }
    }
  } finally {
    await rig.stop()
  }
  const report: Report = { machine, began, command: commandLine(), scenarios: measured }
  if (options.html) await writeFile(options.html, htmlOf(report))
  if (options.json) await writeFile(options.json, `${JSON.stringify(report, undefined, 2)}\n`)
}

/** As it was typed, but for the key. */
function commandLine(): string {
  const args = process.argv.slice(2).map((arg, at, all) => {
    if (all[at - 1] === '--key') return '…'
    return arg.startsWith('--key=') ? '--key=…' : arg
  })
  return `npm run bench -- ${args.join(' ')}`
}

async function run(): Promise<void> {
  let isOutside = false
  try {
    const options = readOptions(process.argv.slice(2), process.env)
    isOutside = options.outside !== undefined
    await main(options)
  } catch (error) {
    const [line = ''] = (error instanceof Error ? error.message : String(error)).split('\n')
    const isFull = line.includes(SERVER_FULL)
    // What a server says that is not ours, and what the machine does not allow, is no fault of the bench: in a line. All else with its stack.
    if (!(error instanceof BenchError) && !isOutside && !isFull) throw error
    console.error(
      `bench: ${line.replace(/^Error: /, '')}${isFull ? ': its limit of open files (ulimit -n) is too low' : ''}`,
    )
    process.exitCode = 1
  }
}

await run()
