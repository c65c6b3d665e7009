import { CountingReader } from './counting-reader.ts'
import { Dice } from './dice.ts'
import type { Fault, FaultOptions, Findings, Size } from './fault.ts'
import { crowdOneAddress } from './floods-address.ts'
import { floodHttp } from './floods-http.ts'
import { guessKeys } from './floods-keys.ts'
import { UnfinishedHandshakes } from './floods-unfinished.ts'
import { Databases } from './own-database.ts'
import { WatchedServer } from './watched-server.ts'

const TRANSPORTS = ['ws', 'uws'] as const
/** Milliseconds that the reader among the floods may wait for a frame: the machine is busy with both sides of the flood. */
const MAX_WAIT_MS = 2000
/** MiB that the server may grow by in all floods: hashes (19 each), what 1,000 handshakes at once hold, and garbage. */
const GROWTH_MIB = 256
const SETTINGS = {
  PARLEY_TRUSTED_PROXIES: '127.0.0.0/8',
  PARLEY_HANDSHAKE_TIMEOUT: '1s',
  PARLEY_SCRIPTED_RATE: '400',
  PARLEY_TITLES: 'off',
}

/** What every flood gets. */
export type Flood = {
  readonly server: WatchedServer
  readonly transport: (typeof TRANSPORTS)[number]
  readonly size: Size
  /** Sockets of one address instead of the size's own number. */
  readonly count: number | undefined
  readonly dice: Dice
  readonly note: (what: string, figure: number | string) => void
  readonly broken: (what: string) => void
}

const FLOODS = {
  'one address': crowdOneAddress,
  'wrong keys': guessKeys,
  http: floodHttp,
} as const

/** Peers that want no chat: the others are served as if they were not there. */
export const floods: Fault = {
  name: 'floods',
  title: 'handshakes without an end, thousands of sockets of one address, guessed keys, heaps of HTTP',
  async run(options: FaultOptions): Promise<Findings> {
    const checked: Record<string, number | string> = {}
    const violations: string[] = []
    const databases = new Databases(options.databaseUrl)
    try {
      for (const transport of TRANSPORTS) {
        const server = await WatchedServer.start({
          ...SETTINGS,
          PARLEY_TRANSPORT: transport,
          ...(await databases.env()),
        })
        const note = (what: string, figure: number | string): void => {
          checked[`${transport}, ${what}`] = figure
        }
        const broken = (what: string): void => void violations.push(`${transport}, ${what}`)
        const { size, count } = options
        try {
          await play({ server, transport, size, count, dice: new Dice(options.seed), note, broken }, options)
        } finally {
          await server.dispose()
        }
      }
    } finally {
      await databases.drop()
    }
    return { checked, violations }
  },
}

async function play(flood: Flood, { say }: FaultOptions): Promise<void> {
  const { server, note, broken } = flood
  const before = server.rssMib()
  const unfinished = await UnfinishedHandshakes.hold(named(flood, 'unfinished handshakes'))
  for (const [name, pour] of Object.entries(FLOODS)) {
    const started = performance.now()
    const reader = await CountingReader.start(server.port)
    server.takePeakMib()
    await pour(named(flood, name))
    const [wait, grown] = [reader.takeLongestWaitMs(), server.takePeakMib() - before]
    for (const fault of await reader.stop()) broken(`${name}: a reader meanwhile: ${fault}`)
    note(`${name}: longest wait of a reader for a frame, ms (at most ${MAX_WAIT_MS})`, wait.toFixed(0))
    note(`${name}: the server grew by at most, MiB (at most ${GROWTH_MIB})`, grown.toFixed(0))
    if (wait > MAX_WAIT_MS) broken(`${name}: a reader waited ${wait.toFixed(0)} ms for a frame`)
    if (!(grown < GROWTH_MIB)) broken(`${name}: the server grew by ${grown.toFixed(0)} MiB`)
    if (!server.alive || !(await server.isHealthy()))
      broken(`${name}: the server is not well: ${server.process.said.join(' ')}`)
    say(`${name}: ${((performance.now() - started) / 1000).toFixed(1)} s`)
  }
  await unfinished.end()
}

function named(flood: Flood, name: string): Flood {
  return {
    ...flood,
    note: (what, figure) => flood.note(`${name}: ${what}`, figure),
    broken: (what) => flood.broken(`${name}: ${what}`),
  }
}
