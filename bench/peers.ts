/** Parley beside what else one would build a chat on, at the same work: `npm run bench:peers`. */
import { writeFile } from 'node:fs/promises'
import { cpus, release } from 'node:os'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { starterOf } from './contenders/contender-peer.ts'
import { requireUws } from './contenders/contender-relay.ts'
import { installPeers } from './contenders/peer-install.ts'
import { NOT_ASKED, type Peer } from './contenders/peer-list.ts'
import { beside, type PeerReport, type PeerRun, peerTable, rowsOf } from './report/peer-report.ts'
import { Monitor } from './rig/monitor.ts'
import { BenchError } from './rig/options.ts'
import { HELP, type PeerOptions, readPeerOptions } from './rig/peer-options.ts'
import { moveToCore, OTHER_CORE } from './rig/processes.ts'
import { Progress } from './rig/progress.ts'
import { Rig } from './rig/rig.ts'
import { type PeerScenario, peerScenarios } from './scenarios/peers.ts'
import type { Sample } from './scenarios/scenario.ts'

function chosen({ names, quick }: PeerOptions): readonly PeerScenario[] {
  const all = peerScenarios(quick)
  if (names.length === 0) return all.filter(({ long }) => !(quick && long === true))
  return names.map((name) => {
    const found = all.find((scenario) => scenario.name === name)
    if (found === undefined)
      throw new BenchError(`no scenario ${name}: ${all.map((scenario) => scenario.name).join(', ')}`)
    return found
  })
}

/** Everyone in turn, round by round, so that a change of the machine's mood falls on all. */
async function measure(rig: Rig, scenario: PeerScenario, options: PeerOptions): Promise<readonly PeerRun[]> {
  const takers = options.peers.filter(scenario.takes)
  const samples = new Map<string, Sample[]>(takers.map(({ name }) => [name, []]))
  const broken = new Map<string, string[]>(takers.map(({ name }) => [name, []]))
  for (let round = 1; round <= options.rounds; round += 1) {
    for (const peer of takers) {
      const outcome = await takeOne(rig, scenario, peer, `${scenario.name} ${peer.name} ${round}/${options.rounds}`)
      if (typeof outcome === 'string') broken.get(peer.name)?.push(outcome)
      else samples.get(peer.name)?.push({ ...outcome, round })
    }
  }
  return takers.map(({ name }) => ({ name, samples: samples.get(name) ?? [], broken: broken.get(name) ?? [] }))
}

/** A sample; or why there is none: what a peer gets wrong is a result, too, and the others are measured all the same. */
async function takeOne(rig: Rig, scenario: PeerScenario, peer: Peer, title: string): Promise<Sample | string> {
  console.error(title)
  rig.monitor.begin(title)
  try {
    return await scenario.measure(rig, starterOf(peer), peer)
  } catch (error) {
    const [line = ''] = (error instanceof Error ? error.message : String(error)).split('\n')
    console.error(`${title}: ${line}`)
    return line
  } finally {
    rig.monitor.end()
  }
}

async function main(options: PeerOptions): Promise<void> {
  if (options.help) return console.log(HELP)
  const scenarios = chosen(options)
  // R and Parley have no file.
  if (options.peers.some(({ file }) => file === undefined)) requireUws()
  if (options.peers.some(({ file }) => file !== undefined)) installPeers()
  moveToCore(process.pid, OTHER_CORE)
  const outDir = dirname(fileURLToPath(import.meta.url))
  const rig = await Rig.start({ outDir, loaders: options.loaders, monitor: new Monitor(new Progress()) })
  const machine = `Node ${process.version}, Linux ${release()}, ${cpus().length} x ${cpus()[0]?.model ?? 'unknown'}`
  const began = new Date().toISOString()
  const measured: Record<string, PeerReport['scenarios'][string]> = {}
  try {
    console.log(`# Beside its peers: ${machine}; rounds: ${options.rounds}, min - median - max\n`)
    for (const scenario of scenarios) {
      const runs = await measure(rig, scenario, options)
      const rows = rowsOf(scenario, runs)
      console.log(peerTable(scenario, rows))
      measured[scenario.name] = { title: scenario.title, rows, runs }
    }
    console.log(beside(options.peers))
  } finally {
    await rig.stop()
  }
  if (options.json === undefined) return
  const command = `npm run bench:peers -- ${process.argv.slice(2).join(' ')}`
  const peers = options.peers.map(({ name, brings }) => ({ name, brings }))
  const report: PeerReport = { machine, began, command, peers, notAsked: NOT_ASKED, scenarios: measured }
  await writeFile(options.json, `${JSON.stringify(report, undefined, 2)}\n`)
}

try {
  await main(readPeerOptions(process.argv.slice(2)))
} catch (error) {
  if (!(error instanceof BenchError)) throw error
  console.error(`bench:peers: ${error.message}`)
  process.exitCode = 1
}
