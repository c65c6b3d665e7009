import { parseArgs } from 'node:util'
import { findUws, NO_UWS, TRANSPORTS, type TransportName } from '../support/transports.ts'
import { clients } from './clients.ts'
import { crash } from './crash.ts'
import { drain } from './drain.ts'
import { type Fault, type FaultOptions, type Findings } from './fault.ts'
import { floods } from './floods.ts'
import { frames } from './frames.ts'
import { slow } from './slow.ts'
import { soak } from './soak.ts'
import { store } from './store.ts'
import { upstream } from './upstream.ts'

const FAULTS: readonly Fault[] = [crash, clients, drain, frames, floods, store, upstream, soak, slow]

const HELP = `npm run faults -- [fault...] [--short] [--seed 1] [--count N] [--transport ws|uws] [--database postgres://...] [+ fault...]
faults: ${FAULTS.map(({ name }) => name).join(', ')}; all when none is named; what is on both sides of a + at the same time, each
        with options of its own
--short     what every change is held against; without it, what a release is
--count     cycles, frames, minutes or slow clients of the faults that are named
--transport only one of them, for faults that are played on both
--database  a Postgres server instead of the embedded one; each fault makes databases of its own there`

const { values: given, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    short: { type: 'boolean', default: false },
    seed: { type: 'string', default: '1' },
    count: { type: 'string' },
    database: { type: 'string' },
    transport: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})

const MS_PER_SECOND = 1000

function databaseOf(url: string | undefined): string | undefined {
  if (url !== undefined && !URL.canParse(url)) throw new Error(`--database: a URL, postgres://...\n${HELP}`)
  return url
}

function whole(name: string, text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${name}: a whole number above 0\n${HELP}`)
  return value
}

function transportOf(name: string | undefined): TransportName | undefined {
  if (name === undefined) return undefined
  const known = TRANSPORTS.find((each) => each === name)
  if (known === undefined) throw new Error(`no transport ${name} here\n${HELP}`)
  return known
}

function chosen(): readonly Fault[] {
  const unknown = positionals.filter((name) => !FAULTS.some((fault) => fault.name === name))
  if (unknown.length > 0) throw new Error(`no fault ${unknown.join(', ')}\n${HELP}`)
  return positionals.length === 0 ? FAULTS : FAULTS.filter(({ name }) => positionals.includes(name))
}

/** Runs one fault and prints what it checked; false when something did not hold. */
async function play(fault: Fault, options: FaultOptions): Promise<boolean> {
  console.log(`\n== ${fault.name}: ${fault.title} (seed ${options.seed}, ${options.size})`)
  const started = performance.now()
  const { checked, violations } = await fault.run(options).catch((thrown: unknown): Findings => {
    const why = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)
    return { checked: {}, violations: [why] }
  })
  for (const [what, figure] of Object.entries(checked)) console.log(`   ${what}: ${figure}`)
  for (const violation of violations) console.log(`   BROKEN: ${violation}`)
  const held = violations.length === 0 && Object.keys(checked).length > 0
  const seconds = ((performance.now() - started) / MS_PER_SECOND).toFixed(0)
  console.log(`== ${fault.name}: ${held ? 'held' : 'BROKEN'} after ${seconds} s`)
  return held
}

async function main(): Promise<boolean> {
  if (given.help) {
    console.log(HELP)
    return true
  }
  const faults = chosen()
  if (findUws() === undefined) console.log(`Not run: what is played on uws (${NO_UWS}). To run: Node 20 or 22`)
  const options: FaultOptions = {
    seed: whole('seed', given.seed),
    size: given.short ? 'short' : 'full',
    count: given.count === undefined ? undefined : whole('count', given.count),
    databaseUrl: databaseOf(given.database),
    transport: transportOf(given.transport),
    say: (line) => console.log(`   ${line}`),
  }
  let held = 0
  for (const fault of faults) if (await play(fault, options)) held++
  console.log(`\n${held} passed, ${faults.length - held} failed`)
  return held === faults.length && faults.length > 0
}

process.exit((await main()) ? 0 : 1)
