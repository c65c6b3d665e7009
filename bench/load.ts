/** The load side as its own process: many sessions, every token checked, on command of the bench. */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { nowMicros } from './clock.ts'
import { Latencies, type LatencySummary } from './latencies.ts'
import { serve } from './rpc.ts'
import { LoadSession, type Sink, type Target } from './session.ts'

export type LoadCommand =
  | { readonly do: 'open'; readonly target: Target; readonly count: number; readonly sessionIds?: readonly string[] }
  /** Every session sends at once and reads its answer. */
  | { readonly do: 'burst'; readonly tokens: number; readonly apart: boolean }
  /** Every session starts an endless paced answer, spread over one token's time and `spreadMs`. */
  | { readonly do: 'pace'; readonly rate: number; readonly tokens: number; readonly spreadMs: number }
  /** What came since the last `window`. */
  | { readonly do: 'window' }
  /** Every session sends, stops at a random moment and sends again, for `seconds`. */
  | { readonly do: 'stops'; readonly rate: number; readonly seconds: number }
  /** Every session stops its answer and waits for the end of the run. */
  | { readonly do: 'cancel' }
  | { readonly do: 'leave' }

export type BurstResult = { readonly tokens: number; readonly seconds: number }
export type WindowResult = { readonly tokens: number; readonly latency: LatencySummary }
export type StopsResult = {
  /** Tag of the request -> time of asking to stop, in microseconds of the machine's clock. */
  readonly asked: Readonly<Record<string, number>>
  readonly tokensAfterAck: number
}

/** Handshakes under way at once. */
const OPENING = 100
/** Connections per local address, below the kernel's usual range of 28,000 ports. */
const PER_ADDRESS = 20_000
/** A block of loopback addresses of this process's own: ports that an earlier one left in TIME_WAIT are not met again. */
const ADDRESS_BLOCK = process.pid % 250
const MICROSECONDS_PER_SECOND = 1_000_000
/** A stop comes this long after its run's first token: long enough to be in the middle, random so that stops do not align. */
const STOP_AFTER_MS = { least: 500, span: 3000 }
/** Longer than any run before its stop. */
const LONGEST_ANSWER_SECONDS = 60
/** Time for a late token to show itself after a stop. */
const AFTERMATH_MS = 50

const latencies = new Latencies()
let sessions: LoadSession[] = []
const running: Promise<void>[] = []
let tokens = 0
let tokensAfterAck = 0
let fault: Error | undefined
let serial = 0

const sink: Sink = {
  token: (latency) => {
    tokens += 1
    if (latency > 0) latencies.add(latency)
  },
  tokenAfterAck: () => {
    tokensAfterAck += 1
  },
  fault: (error) => {
    fault ??= error
  },
}

async function open(target: Target, count: number, ids: readonly string[]): Promise<number> {
  const first = sessions.length
  for (let at = first; at < first + count; at += OPENING) {
    const batch = Array.from({ length: Math.min(OPENING, first + count - at) }, (_, offset) => at + offset)
    const opened = batch.map((index) => {
      const address = `127.0.${ADDRESS_BLOCK}.${2 + Math.floor(index / PER_ADDRESS)}`
      return LoadSession.open(target, ids[index - first] ?? randomUUID(), address, sink)
    })
    sessions.push(...(await Promise.all(opened)))
  }
  return sessions.length
}

async function burst(count: number, apart: boolean): Promise<BurstResult> {
  tokens = 0
  const start = nowMicros()
  const tag = `burst${++serial}`
  await orFault(Promise.all(sessions.map((session) => session.run({ tokens: count, rate: 0, apart, tag }))))
  const missing = sessions.filter((session) => session.tokens !== count).length
  if (missing > 0) throw new Error(`${missing} sessions did not get all of their tokens`)
  return { tokens, seconds: (nowMicros() - start) / MICROSECONDS_PER_SECOND }
}

async function pace(rate: number, count: number, spreadMs: number): Promise<number> {
  for (const [index, session] of sessions.entries()) {
    running.push(session.run({ tokens: count, rate, apart: false, tag: `pace${index}` }))
    await sleep(spreadMs / sessions.length)
  }
  return running.length
}

async function cancel(): Promise<number> {
  for (const session of sessions) session.stop()
  await orFault(Promise.all(running))
  return running.splice(0).length
}

function window(): WindowResult {
  const result = { tokens, latency: latencies.summary() }
  tokens = 0
  latencies.clear()
  return result
}

async function stops(rate: number, seconds: number): Promise<StopsResult> {
  const asked: Record<string, number> = {}
  const until = performance.now() + seconds * 1000
  tokensAfterAck = 0
  const keepStopping = async (session: LoadSession): Promise<void> => {
    while (performance.now() < until) {
      const tag = `stop${++serial}`
      const ended = session.run({ tokens: rate * LONGEST_ANSWER_SECONDS, rate, apart: false, tag })
      while (session.tokens === 0) await sleep(5)
      await sleep(STOP_AFTER_MS.least + Math.random() * STOP_AFTER_MS.span)
      asked[tag] = session.stop()
      await ended
      await sleep(AFTERMATH_MS)
    }
  }
  await orFault(Promise.all(sessions.map(keepStopping)))
  return { asked, tokensAfterAck }
}

/** A fault anywhere ends the measurement: numbers of a broken run mean nothing. */
async function orFault(work: Promise<unknown>): Promise<void> {
  let watch: NodeJS.Timeout | undefined
  const faulty = new Promise<never>((_, reject) => {
    watch = setInterval(() => fault && reject(fault), 20)
  })
  await Promise.race([work, faulty]).finally(() => clearInterval(watch))
}

async function handle(text: string): Promise<unknown> {
  const command: LoadCommand = JSON.parse(text)
  if (fault) throw fault
  switch (command.do) {
    case 'open':
      return open(command.target, command.count, command.sessionIds ?? [])
    case 'burst':
      return burst(command.tokens, command.apart)
    case 'pace':
      return pace(command.rate, command.tokens, command.spreadMs)
    case 'window':
      return window()
    case 'stops':
      return stops(command.rate, command.seconds)
    case 'cancel':
      return cancel()
    case 'leave':
      for (const session of sessions) session.leave()
      sessions = []
      return 0
  }
}

serve(handle)
