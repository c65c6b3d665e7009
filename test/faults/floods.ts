import { Dice } from '../support/dice.ts'
import { onBothTransports } from './both-transports.ts'
import { CountingReader } from './counting-reader.ts'
import type { Fault, FaultOptions, Findings } from './fault.ts'
import type { Flood } from './flood.ts'
import { crowdOneAddress } from './floods-address.ts'
import { floodHttp } from './floods-http.ts'
import { guessKeys } from './floods-keys.ts'
import { UnfinishedHandshakes } from './floods-unfinished.ts'

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

const FLOODS = {
  'one address': crowdOneAddress,
  'wrong keys': guessKeys,
  http: floodHttp,
} as const

/** Peers that want no chat: the others are served as if they were not there. */
export const floods: Fault = {
  name: 'floods',
  title: 'handshakes without an end, thousands of sockets of one address, guessed keys, heaps of HTTP',
  run(options: FaultOptions): Promise<Findings> {
    const { size, count, seed, say } = options
    return onBothTransports(options, SETTINGS, (stage) => play({ ...stage, size, count, dice: new Dice(seed) }, say))
  },
}

async function play(flood: Flood, say: FaultOptions['say']): Promise<void> {
  const { server } = flood
  const before = server.rssMib()
  const unfinished = await UnfinishedHandshakes.hold({ ...flood, notes: flood.notes.of('unfinished handshakes') })
  for (const [name, pour] of Object.entries(FLOODS)) {
    const started = performance.now()
    const reader = await CountingReader.start(server.port)
    server.takePeakMib()
    const notes = flood.notes.of(name)
    await pour({ ...flood, notes })
    const [wait, grown] = [reader.takeLongestWaitMs(), server.takePeakMib() - before]
    for (const fault of await reader.stop()) notes.broken(`a reader meanwhile: ${fault}`)
    notes.add(`longest wait of a reader for a frame, ms (at most ${MAX_WAIT_MS})`, wait.toFixed(0))
    notes.add(`the server grew by at most, MiB (at most ${GROWTH_MIB})`, grown.toFixed(0))
    if (wait > MAX_WAIT_MS) notes.broken(`a reader waited ${wait.toFixed(0)} ms for a frame`)
    if (!(grown < GROWTH_MIB)) notes.broken(`the server grew by ${grown.toFixed(0)} MiB`)
    if (!server.alive || !(await server.isHealthy()))
      notes.broken(`the server is not well: ${server.process.said.join(' ')}`)
    say(`${flood.transport}, ${name}: ${((performance.now() - started) / 1000).toFixed(1)} s`)
  }
  await unfinished.end()
}
