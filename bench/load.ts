/** The load side as its own process: many sessions, every token checked, on command of the bench. */
import { setTimeout as sleep } from 'node:timers/promises'
import { chats, poll } from './load/aomi-load.ts'
import { nowMicros } from './load/clock.ts'
import { Crowd } from './load/crowd.ts'
import { guess, knock } from './load/knocking.ts'
import { Latencies, type LatencySummary } from './load/latencies.ts'
import type { Target } from './load/line.ts'
import type { AskResult, BurstResult, LoadCommand, Resumed, StopsResult } from './load/load-command.ts'
import { Mixing } from './load/mix.ts'
import { type Ended, LoadSession } from './load/session.ts'
import { serve } from './rig/rpc.ts'

const MICROSECONDS_PER_SECOND = 1_000_000
/** A stop comes this long after its run's first token: long enough to be in the middle, random so that stops do not align. */
const STOP_AFTER_MS = { least: 500, span: 3000 }
/** Longer than any run before its stop. */
const LONGEST_ANSWER_SECONDS = 60
/** Time for a late token to show itself after a stop. */
const AFTERMATH_MS = 50

const crowd = new Crowd()
const running: Promise<Ended>[] = []
let serial = 0
/** What runs is one answer that all read: whose first session asked for it. */
let watching: 'ours' | 'elsewhere' | undefined

/** Also of what other load processes of this bench ask for. */
function nextTag(kind: string): string {
  return `${kind}${process.pid}-${++serial}`
}

function secondsSince(start: number): number {
  return (nowMicros() - start) / MICROSECONDS_PER_SECOND
}

function missing(tokens: number): number {
  return crowd.sessions.filter((session) => session.tokens !== tokens).length
}

async function burst(tokens: number, apart: boolean): Promise<BurstResult> {
  const start = nowMicros()
  const tag = nextTag('burst')
  await crowd.orFault(Promise.all(crowd.sessions.map((session) => session.run({ tokens, rate: 0, apart, tag }))))
  if (missing(tokens) > 0) throw new Error(`${missing(tokens)} sessions did not get all of their tokens`)
  return { tokens: tokens * crowd.sessions.length, seconds: secondsSince(start) }
}

async function pace(rate: number, tokens: number, spreadMs: number): Promise<number> {
  for (const session of crowd.sessions) {
    running.push(session.run({ tokens, rate, apart: false, tag: nextTag('pace') }))
    await sleep(spreadMs / crowd.sessions.length)
  }
  return running.length
}

/** Starts keep to their plan, and what they wait for is counted from there. */
async function ask(tokens: number, spreadMs: number): Promise<AskResult> {
  crowd.firsts.clear()
  const start = nowMicros()
  const step = (spreadMs * 1000) / crowd.sessions.length
  const one = async (session: LoadSession, nth: number): Promise<void> => {
    const planned = start + nth * step
    await sleep(Math.max(0, (planned - nowMicros()) / 1000))
    await session.run({ tokens, rate: 0, apart: false, tag: nextTag('ask') }, planned)
  }
  await crowd.orFault(Promise.all(crowd.sessions.map(one)))
  if (missing(tokens) > 0) throw new Error(`${missing(tokens)} sessions did not get all of their tokens`)
  return { tokens: tokens * crowd.sessions.length, seconds: secondsSince(start), firsts: crowd.firsts.encode() }
}

function watchFirst(rate: number, tokens: number, elsewhere: boolean): Promise<Ended>[] {
  const [first, ...others] = crowd.sessions
  if (elsewhere) return crowd.sessions.map((session) => session.watch())
  if (first === undefined) throw new Error('nobody is there to send')
  const watched = others.map((session) => session.watch())
  return [...watched, first.run({ tokens, rate, apart: false, tag: nextTag('w') })]
}

/** Seconds until everyone had all of it. */
async function watch(rate: number, tokens: number, elsewhere: boolean): Promise<BurstResult> {
  const start = nowMicros()
  await crowd.orFault(Promise.all(watchFirst(rate, tokens, elsewhere)))
  if (missing(tokens) > 0) throw new Error(`${missing(tokens)} watchers did not get all of the tokens`)
  return { tokens: tokens * crowd.sessions.length, seconds: secondsSince(start) }
}

/** Seconds until each client had the end of the answer, all tokens before it once and in order, by a tail and no snapshot. */
async function resume({ target, sessionId, cursor, count, tokens }: Resumed): Promise<BurstResult> {
  const from = { ...target, path: `${target.path}&cursor=${cursor}` }
  const start = nowMicros()
  const whole: Promise<void>[] = []
  const isWhole = async (session: LoadSession): Promise<void> => {
    await session.watch()
    crowd.took(nowMicros() - start)
  }
  const back = await crowd.orFault(
    Promise.all(
      Array.from({ length: count }, () =>
        LoadSession.open(from, sessionId, undefined, crowd.sink, (session) => whole.push(isWhole(session))),
      ),
    ),
  )
  await crowd.orFault(Promise.all(whole))
  const seconds = secondsSince(start)
  const wrong = back.filter((session) => session.tokens !== tokens || session.resumed !== 'tail').length
  if (wrong > 0) throw new Error(`${wrong} clients did not get a whole tail`)
  for (const session of back) session.leave()
  return { tokens: tokens * count, seconds }
}

async function enter(target: Target, ids: readonly string[]): Promise<LatencySummary> {
  const times = new Latencies()
  for (const id of ids) {
    const start = nowMicros()
    const session = await LoadSession.open(target, id, undefined, crowd.sink)
    times.add(nowMicros() - start)
    crowd.took(nowMicros() - start)
    crowd.came()
    session.leave()
  }
  return times.summary()
}

/** One of the sessions that share an answer stops it; every one that has its own stops that. */
async function cancel(): Promise<number> {
  const own = watching === undefined ? crowd.sessions : watching === 'ours' ? crowd.sessions.slice(0, 1) : []
  for (const session of own) session.stop()
  watching = undefined
  await crowd.orFault(Promise.all(running))
  return running.splice(0).length
}

async function stops(rate: number, seconds: number): Promise<StopsResult> {
  const asked: Record<string, number> = {}
  const until = performance.now() + seconds * 1000
  crowd.tokensAfterAck = 0
  crowd.stops.clear()
  const keepStopping = async (session: LoadSession): Promise<void> => {
    while (performance.now() < until) {
      const tag = nextTag('stop')
      const ended = session.run({ tokens: rate * LONGEST_ANSWER_SECONDS, rate, apart: false, tag })
      while (session.tokens === 0) await sleep(5)
      await sleep(STOP_AFTER_MS.least + Math.random() * STOP_AFTER_MS.span)
      asked[tag] = session.stop()
      await ended
      await sleep(AFTERMATH_MS)
    }
  }
  await crowd.orFault(Promise.all(crowd.sessions.map(keepStopping)))
  return { asked, tokensAfterAck: crowd.tokensAfterAck, ended: crowd.stops.encode() }
}

function watchOn(rate: number, tokens: number, elsewhere: boolean): number {
  watching = elsewhere ? 'elsewhere' : 'ours'
  return running.push(...watchFirst(rate, tokens, elsewhere))
}

async function handle(text: string): Promise<unknown> {
  const command: LoadCommand = JSON.parse(text)
  if (crowd.fault) throw crowd.fault
  switch (command.do) {
    case 'open':
      return crowd.orFault(crowd.open(command.target, command.count, command.sessionIds ?? [], command.timed ?? false))
    case 'burst':
      return burst(command.tokens, command.apart)
    case 'pace':
      return pace(command.rate, command.tokens, command.spreadMs)
    case 'ask':
      return ask(command.tokens, command.spreadMs)
    case 'watch':
      return watch(command.rate, command.tokens, command.elsewhere ?? false)
    case 'watch on':
      return watchOn(command.rate, command.tokens, command.elsewhere ?? false)
    case 'cursor':
      return crowd.sessions[0]?.opened ?? ''
    case 'resume':
      return resume(command)
    case 'enter':
      return enter(command.target, command.sessionIds)
    case 'window':
      return crowd.window()
    case 'tick':
      return crowd.tick()
    case 'stops':
      return stops(command.rate, command.seconds)
    case 'cancel':
      return cancel()
    case 'mix':
      return new Mixing(crowd, command).play()
    case 'knock':
      return knock(crowd, command)
    case 'guess':
      return guess(crowd, command)
    case 'poll':
      return poll(crowd, command)
    case 'chats':
      return chats(crowd, command)
    case 'leave':
      for (const session of crowd.sessions) session.leave()
      crowd.sessions = []
      return 0
  }
}

serve(handle)
