/**
 * Against a server that somebody else started: its model counts at its own rate, what it takes of CPU and memory is not known, and
 * its limits hold. Latencies are of what a client sees.
 */
import { randomUUID } from 'node:crypto'
import { Latencies, type LatencySummary } from '../load/latencies.ts'
import type { AskResult, BurstResult, StopsResult } from '../load/load-command.ts'
import type { OutsideOptions } from '../rig/options.ts'
import { type Metric, measuring, type Scenario } from './scenario.ts'

/** How many, unless someone says otherwise; the last two share a session, to which 50 connections may be open by default. */
const SESSIONS = { connect: 1000, paced: 200, stop: 100, fanout: 50, resume: 49 }
/** Seconds of an answer, and the tokens that the demo model gives in one at the most. */
const ANSWER_SECONDS = 10
const FEWEST_TOKENS = 20
const MOST_TOKENS = 5000
const SPREAD_MS = 1000
const STOP_SECONDS = 15
/** Asked for, so that an answer lasts until it is stopped: under the model's limit of 10,000. */
const STOP_RATE = 160
const STORMS = 3
const PERCENT = 100
/** Under this share of the model's own rate the server does not keep up, or the rate is another than `--rate` says. */
const KEPT_UP = 0.9

const LOAD_SIDE: Metric = { key: 'loadSide', label: 'load side, share of its core', digits: 2 }
const BEHIND = "how late a token is by its model's schedule"

export function outsideScenarios({ sessions, target }: OutsideOptions): readonly Scenario[] {
  const rate = target.countsPerSecond ?? 0
  const tokens = Math.round(Math.min(MOST_TOKENS, Math.max(FEWEST_TOKENS, rate * ANSWER_SECONDS)))
  const size = (name: keyof typeof SESSIONS): number => sessions ?? SESSIONS[name]
  return [
    connect(size('connect')),
    paced(size('paced'), tokens, rate),
    stop(size('stop')),
    fanout(size('fanout'), tokens),
    resume(size('resume'), tokens),
  ]
}

function connect(count: number): Scenario {
  return {
    name: 'connect',
    title: `connect: ${count} handshakes, 100 under way at a time, each on a new session`,
    latency: 'from connecting to session.ready, 100 under way at a time',
    metrics: [
      { key: 'served', label: 'served', digits: 0 },
      { key: 'rate', label: 'handshakes per second', digits: 0 },
      ...percentiles('connect to session.ready'),
      LOAD_SIDE,
    ],
    measure: (rig, start) =>
      measuring(rig, start, async (contender, load) => {
        const [served, spent] = await rig.spentBy(contender, load, () =>
          load.do<number>({ do: 'open', target: contender.target, count, timed: true }),
        )
        const { latency } = await load.window()
        const loadSide = spent.loadSide / spent.wall
        return { values: { served, rate: served / spent.wall, ...valuesOf(latency), loadSide }, notes: [] }
      }),
  }
}

function paced(count: number, tokens: number, rate: number): Scenario {
  return {
    name: 'paced',
    title: `paced: ${count} sessions, each an answer of ${tokens} tokens at the model's own rate`,
    latency: BEHIND,
    metrics: [
      { key: 'rate', label: 'tokens per second', digits: 0 },
      { key: 'kept', label: `of the model's own rate (${rate} a second and session), %`, digits: 1 },
      { key: 'firstP50', label: 'asking to first token p50, ms', digits: 2 },
      { key: 'firstP99', label: 'asking to first token p99, ms', digits: 2 },
      ...percentiles(BEHIND),
      LOAD_SIDE,
    ],
    measure: (rig, start) =>
      measuring(rig, start, async (contender, load) => {
        await load.do({ do: 'open', target: contender.target, count })
        await load.window()
        const [asked, spent] = await rig.spentBy(contender, load, () =>
          load.do<AskResult>({ do: 'ask', tokens, spreadMs: SPREAD_MS }),
        )
        const { latency } = await load.window()
        const firsts = Latencies.decode(asked.firsts).summary()
        // The last session starts so much later than the first.
        const kept = tokens / rate / (asked.seconds - SPREAD_MS / 1000)
        const values = {
          rate: asked.tokens / asked.seconds,
          kept: Math.min(1, kept) * PERCENT,
          firstP50: firsts.p50,
          firstP99: firsts.p99,
          ...valuesOf(latency),
          loadSide: spent.loadSide / spent.wall,
        }
        const slow =
          'slower than the schedule: the server is full, or its model counts at another rate than --rate says'
        return { values, notes: kept < KEPT_UP ? [slow] : [] }
      }),
  }
}

function stop(count: number): Scenario {
  return {
    name: 'stop',
    title: `stop: ${count} sessions, each stopped every 2 s or so while all stream`,
    latency: BEHIND,
    metrics: [
      { key: 'stops', label: 'stops', digits: 0 },
      ...percentiles('asking to stop to the end of the run'),
      { key: 'after', label: 'frames of tokens after the ack', digits: 0 },
      LOAD_SIDE,
    ],
    measure: (rig, start) =>
      measuring(rig, start, async (contender, load) => {
        await load.do({ do: 'open', target: contender.target, count })
        const [stopped, spent] = await rig.spentBy(contender, load, () =>
          load.do<StopsResult>({ do: 'stops', rate: STOP_RATE, seconds: STOP_SECONDS }),
        )
        const values = {
          stops: Object.keys(stopped.asked).length,
          ...valuesOf(Latencies.decode(stopped.ended).summary()),
          after: stopped.tokensAfterAck,
          loadSide: spent.loadSide / spent.wall,
        }
        return { values, notes: [] }
      }),
  }
}

function fanout(count: number, tokens: number): Scenario {
  return {
    name: 'fanout',
    title: `fanout: one session, ${count} watchers, an answer of ${tokens} tokens`,
    latency: BEHIND,
    metrics: [
      { key: 'deliveries', label: 'tokens delivered per second', digits: 0 },
      ...percentiles(BEHIND),
      LOAD_SIDE,
    ],
    measure: (rig, start) =>
      measuring(rig, start, async (contender, load) => {
        const sessionIds = Array.from({ length: count }, () => '').fill(randomUUID())
        await load.do({ do: 'open', target: contender.target, count, sessionIds })
        await load.window()
        const [watched, spent] = await rig.spentBy(contender, load, () =>
          load.do<BurstResult>({ do: 'watch', rate: 0, tokens }),
        )
        const { latency } = await load.window()
        const deliveries = watched.tokens / watched.seconds
        return { values: { deliveries, ...valuesOf(latency), loadSide: spent.loadSide / spent.wall }, notes: [] }
      }),
  }
}

function resume(count: number, tokens: number): Scenario {
  return {
    name: 'resume',
    title: `resume: a tail of ${tokens} tokens to ${count} clients that come back at once, ${STORMS} times`,
    latency: 'from the moment when all come back to the whole tail',
    metrics: [...percentiles('coming back to the whole tail'), LOAD_SIDE],
    measure: (rig, start) =>
      measuring(rig, start, async (contender, load) => {
        const sessionId = randomUUID()
        const { target } = contender
        await load.do({ do: 'open', target, count: 1, sessionIds: [sessionId] })
        await load.do({ do: 'watch', rate: 0, tokens })
        const cursor = await load.do<string>({ do: 'cursor' })
        await load.window()
        const [, spent] = await rig.spentBy(contender, load, async () => {
          for (let nth = 0; nth < STORMS; nth++)
            await load.do<BurstResult>({ do: 'resume', target, sessionId, cursor, count, tokens })
        })
        // Tokens of a tail were due long ago: only whole tails are counted.
        const { latency } = await load.window()
        return { values: { ...valuesOf(latency), loadSide: spent.loadSide / spent.wall }, notes: [] }
      }),
  }
}

function percentiles(what: string): readonly Metric[] {
  return [
    { key: 'p50', label: `${what} p50, ms`, digits: 2 },
    { key: 'p99', label: `${what} p99, ms`, digits: 2 },
    { key: 'max', label: `${what} at the most, ms`, digits: 1 },
  ]
}

function valuesOf({ p50, p99, max }: LatencySummary): {
  readonly p50: number
  readonly p99: number
  readonly max: number
} {
  return { p50, p99, max }
}
