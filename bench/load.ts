/** The load side as its own process: many sessions, every token checked, on command of the bench. */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { nowMicros } from './clock.ts'
import { Latencies, type LatencySummary } from './latencies.ts'
import { serve } from './rpc.ts'
import { LoadSession, type Sink, type Target } from './session.ts'
import type { Place } from './socket.ts'

export type LoadCommand =
  | { readonly do: 'open'; readonly target: Target; readonly count: number; readonly sessionIds?: readonly string[] }
  /** Every session sends at once and reads its answer. */
  | { readonly do: 'burst'; readonly tokens: number; readonly apart: boolean }
  /** Every session starts an endless paced answer, spread over one token's time and `spreadMs`. */
  | { readonly do: 'pace'; readonly rate: number; readonly tokens: number; readonly spreadMs: number }
  /** The first session sends, all read its answer. Resolves when every one of them has all of it. */
  | { readonly do: 'watch'; readonly rate: number; readonly tokens: number }
  /** As `watch`, but goes on meanwhile: until `cancel`. */
  | { readonly do: 'watch on'; readonly rate: number; readonly tokens: number }
  /** So many clients at once, from before the answer that was watched: resolves when each has all of it. */
  | {
      readonly do: 'resume'
      readonly target: Target
      readonly sessionId: string
      readonly count: number
      readonly tokens: number
    }
  /** One connection after the other, each to `session.ready`. */
  | { readonly do: 'enter'; readonly target: Target; readonly sessionIds: readonly string[] }
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
/** Ports are named: with thousands taken, the kernel's search for a free one costs more than the handshake. */
const FIRST_PORT = 10_000
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
let places = 0
/** What runs is one answer that all read. */
let watching = false

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

/** No place serves twice: the kernel keeps what has ended for a while. */
function nextPlace(): Place {
  const nth = places++
  const localAddress = `127.0.${ADDRESS_BLOCK}.${2 + Math.floor(nth / PER_ADDRESS)}`
  return { localAddress, localPort: FIRST_PORT + (nth % PER_ADDRESS) }
}

async function open(target: Target, count: number, ids: readonly string[]): Promise<number> {
  const first = sessions.length
  for (let at = first; at < first + count; at += OPENING) {
    const batch = Array.from({ length: Math.min(OPENING, first + count - at) }, (_, offset) => at + offset)
    const opened = batch.map((index) => {
      return LoadSession.open(target, ids[index - first] ?? randomUUID(), nextPlace(), sink)
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

function watchFirst(rate: number, count: number): Promise<void>[] {
  const [first, ...others] = sessions
  if (first === undefined) throw new Error('nobody is there to send')
  return [
    ...others.map((session) => session.watch()),
    first.run({ tokens: count, rate, apart: false, tag: `w${++serial}` }),
  ]
}

/** Seconds until everyone had all of it. */
async function watch(rate: number, count: number): Promise<BurstResult> {
  tokens = 0
  const start = nowMicros()
  await orFault(Promise.all(watchFirst(rate, count)))
  const missing = sessions.filter((session) => session.tokens !== count).length
  if (missing > 0) throw new Error(`${missing} watchers did not get all of the tokens`)
  return { tokens, seconds: (nowMicros() - start) / MICROSECONDS_PER_SECOND }
}

/** Seconds until each client had the end of the answer, all tokens before it once and in order, by a tail and no snapshot. */
async function resume({
  target,
  sessionId,
  count,
  tokens: each,
}: LoadCommand & { do: 'resume' }): Promise<BurstResult> {
  const cursor = sessions[0]?.cursor
  const from = { ...target, path: `${target.path}&cursor=${cursor}` }
  tokens = 0
  const start = nowMicros()
  const whole: Promise<void>[] = []
  const back = await orFault(
    Promise.all(
      Array.from({ length: count }, () =>
        LoadSession.open(from, sessionId, undefined, sink, (session) => whole.push(session.watch())),
      ),
    ),
  )
  await orFault(Promise.all(whole))
  const seconds = (nowMicros() - start) / MICROSECONDS_PER_SECOND
  const wrong = back.filter((session) => session.tokens !== each || session.resumed !== 'tail').length
  if (wrong > 0) throw new Error(`${wrong} clients did not get a whole tail`)
  for (const session of back) session.leave()
  return { tokens, seconds }
}

async function enter(target: Target, ids: readonly string[]): Promise<LatencySummary> {
  const times = new Latencies()
  for (const id of ids) {
    const start = nowMicros()
    const session = await LoadSession.open(target, id, undefined, sink)
    times.add(nowMicros() - start)
    session.leave()
  }
  return times.summary()
}

/** One of the sessions that share an answer stops it; every one that has its own stops that. */
async function cancel(): Promise<number> {
  for (const session of watching ? sessions.slice(0, 1) : sessions) session.stop()
  watching = false
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
async function orFault<Result>(work: Promise<Result>): Promise<Result> {
  let watch: NodeJS.Timeout | undefined
  const faulty = new Promise<never>((_, reject) => {
    watch = setInterval(() => fault && reject(fault), 20)
  })
  return Promise.race([work, faulty]).finally(() => clearInterval(watch))
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
    case 'watch':
      return watch(command.rate, command.tokens)
    case 'watch on':
      watching = true
      return running.push(...watchFirst(command.rate, command.tokens))
    case 'resume':
      return resume(command)
    case 'enter':
      return enter(command.target, command.sessionIds)
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
