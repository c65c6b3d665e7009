import { randomUUID } from 'node:crypto'
import { Dice } from '../support/dice.ts'
import { type Notes, onBothTransports, type Stage } from './both-transports.ts'
import { CountingReader } from './counting-reader.ts'
import type { Fault, FaultOptions, Findings } from './fault.ts'
import { BadFrames } from './frames-bad.ts'
import { Life, MANNERS, Tally } from './frames-life.ts'
import { type WatchedServer, within } from './watched-server.ts'

/** Frames on both transports together. */
const FRAMES = { short: 50_000, full: 1_000_000 } as const
/** Connections at once. */
const AT_ONCE = 24
/** Frames after which memory is first looked at: by then what is kept for good (code, pools, caches) is there. */
const WARM_SHARE = 0.15
/** Sessions that many connections share; every other connection has one of its own. */
const SHARED_SESSIONS = 40
/** Milliseconds for what was left behind to leave memory: runs end, idle histories and logs go after a second. */
const GRACE_MS = 20_000
/** What PARLEY_SESSIONS_IN_MEMORY is set to; beside it there is the reader's. */
const RECORDS = 100
/** MiB that live objects and RAM may have grown by between the warm-up and the end: no more for a million frames than for thousands. */
const HEAP_MARGIN_MIB = 16
const RSS_MARGIN_MIB = 128
const MAX_WAIT_MS = 3000

const SETTINGS = {
  PARLEY_TITLES: 'off',
  PARLEY_SCRIPTED_RATE: '400',
  PARLEY_SESSIONS_IN_MEMORY: String(RECORDS),
  PARLEY_HISTORY_IDLE: '1s',
  PARLEY_LOG_IDLE: '1s',
}

/** Frames of all kinds, most of them wrong. The limits are the defaults: it takes thousands of connections. */
export const frames: Fault = {
  name: 'frames',
  title: 'random frames, good, bad and broken, through a live server',
  run(options: FaultOptions): Promise<Findings> {
    const total = Math.ceil((options.count ?? FRAMES[options.size]) / 2)
    return onBothTransports(options, SETTINGS, (stage) => flood(stage, total, options))
  },
}

type Memory = { readonly heapMib: number; readonly rssMib: number }

async function flood({ server, transport, notes }: Stage, total: number, { seed, say }: FaultOptions): Promise<void> {
  const tally = new Tally(notes)
  const dice = new Dice(seed)
  const bad = new BadFrames(dice.fork(), transport)
  const shared = Array.from({ length: SHARED_SESSIONS }, () => randomUUID())
  const reader = await CountingReader.start(server.port)
  let lives = 0
  const send = async (until: number): Promise<void> => {
    const work = async (): Promise<void> => {
      while (tally.frames < until && server.alive) {
        const session = dice.chance(0.5) ? (shared[dice.below(SHARED_SESSIONS)] ?? '') : randomUUID()
        await new Life(dice.pick(MANNERS), `l${lives++}`, dice.fork(), bad, tally).live(server.port, session)
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, work))
  }
  await send(total * WARM_SHARE)
  const before = await settled(server, tally)
  const [started, sent] = [performance.now(), tally.frames]
  await send(total)
  const seconds = (performance.now() - started) / 1000
  say(`${transport}: ${((tally.frames - sent) / seconds).toFixed(0)} frames a second`)
  const wait = reader.takeLongestWaitMs()
  const after = await settled(server, tally)
  for (const fault of await reader.stop()) tally.broken(`a reader meanwhile: ${fault}`)
  if (wait > MAX_WAIT_MS) tally.broken(`a reader waited ${wait.toFixed(0)} ms for a frame`)
  if (!server.alive || !(await server.isHealthy()))
    tally.broken(`the server is not well: ${server.process.said.join(' ')}`)
  const errors = await server.metric('errors_total', 'internal_error')
  if (errors > 0) tally.broken(`${errors} internal errors were counted`)
  notes.add('frames', tally.frames)
  for (const [what, times] of tally.sums) notes.add(what, times)
  notes.add(`longest wait of a reader for a frame, ms (at most ${MAX_WAIT_MS})`, wait.toFixed(0))
  compare(before, after, notes)
}

/** Waits until everyone but the reader has left memory. */
async function settled(server: WatchedServer, tally: Tally): Promise<Memory> {
  const gauges = async () => ({
    connections: await server.metric('connections'),
    runs: await server.metric('active_runs'),
    sessions: await server.metric('sessions_in_memory'),
  })
  const isBack = await within(GRACE_MS, async () => {
    const { connections, runs, sessions } = await gauges()
    return connections <= 1 && runs <= 1 && sessions <= RECORDS + 1
  })
  if (!isBack) tally.broken(`${GRACE_MS} ms after the last frame there are still ${JSON.stringify(await gauges())}`)
  const heapMib = await server.heapMib()
  return { heapMib, rssMib: server.rssMib() }
}

function compare(before: Memory, after: Memory, notes: Notes): void {
  const heap = after.heapMib - before.heapMib
  const rss = after.rssMib - before.rssMib
  if (!(heap < HEAP_MARGIN_MIB)) notes.broken(`live objects grew by ${heap.toFixed(1)} MiB`)
  if (!(rss < RSS_MARGIN_MIB)) notes.broken(`memory grew by ${rss.toFixed(1)} MiB`)
  notes.add(
    `live objects after the warm-up and at the end, MiB (grown by less than ${HEAP_MARGIN_MIB})`,
    `${before.heapMib.toFixed(1)}, ${after.heapMib.toFixed(1)}`,
  )
  notes.add(
    `RAM after the warm-up and at the end, MiB (grown by less than ${RSS_MARGIN_MIB})`,
    `${before.rssMib.toFixed(0)}, ${after.rssMib.toFixed(0)}`,
  )
}
