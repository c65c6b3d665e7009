import { setTimeout as sleep } from 'node:timers/promises'
import type { Contender } from '../contenders/contender.ts'
import type { BurstResult, LoadCommand } from '../load/load-command.ts'
import type { Load } from '../rig/loads.ts'
import { probe, type Rig, type Spent } from '../rig/rig.ts'
import { atLeast, atMost, measuring, type Sample, type Scenario } from './scenario.ts'
import { watchStore } from './stored.ts'

/** How much of it: connections at once, the tokens of each, and how often; warm-ups so that the compiler has seen every path. */
export type FullSize = {
  readonly connections: number
  readonly tokens: number
  readonly warmUps: number
  readonly repeats: number
  /** Of a slow server fewer repeats do: none begins after so long. */
  readonly enoughSeconds?: number
}

/** 400,000 tokens measured: some 5 s, against CPU times that tick every 10 ms. */
const WHOLE: FullSize = { connections: 50, tokens: 2000, warmUps: 2, repeats: 4 }
const SHORT: FullSize = { connections: 20, tokens: 500, warmUps: 2, repeats: 5 }
/** What a server does just after the last token (saving, collecting) is part of its cost. */
const SETTLE_MS = 250
const MILLION = 1e6

/** P1: as fast as it goes. Every repeat runs on new sessions, so that no history is re-sent to the model. */
export const full: Scenario = fullSpeed({
  name: 'full',
  title: `P1 full speed: ${WHOLE.connections} connections x ${WHOLE.tokens} tokens, as fast as the server reads`,
  apart: false,
  size: WHOLE,
})

/** Seconds of it, for the guard. */
export const shortFull: Scenario = fullSpeed({
  name: 'full',
  title: 'full speed, in short',
  apart: false,
  size: SHORT,
})

/** The same with every token a segment of its own, as a model that flushes each: reading costs what it costs. */
export const apart: Scenario = fullSpeed({
  name: 'apart',
  title: `P1 full speed, each token a write of its own (the load side is near its limit: judge by CPU)`,
  apart: true,
  size: WHOLE,
})

type Variant = { readonly name: string; readonly title: string; readonly apart: boolean; readonly size: FullSize }

function fullSpeed(variant: Variant): Scenario {
  return {
    name: variant.name,
    title: variant.title,
    latency: 'none: tokens at full speed are not stamped',
    metrics: [
      { key: 'cpu', label: 'server CPU s per million tokens', digits: 2, goal: atMost(0.8) },
      { key: 'rate', label: 'tokens/s per core', digits: 0, ...(variant.apart ? {} : { goal: atLeast(1.3) }) },
      { key: 'stall', label: 'longest loop stall, ms', digits: 0 },
      { key: 'database', label: 'Postgres CPU s per million tokens', digits: 2 },
      { key: 'loadSide', label: 'load side, share of its core', digits: 2 },
      { key: 'others', label: 'others, cores', digits: 2 },
    ],
    measure: (rig, start) => measuring(rig, start, (contender, load) => bursts(rig, contender, load, variant)),
  }
}

export async function bursts(
  rig: Rig,
  contender: Contender,
  load: Load,
  { apart, size }: Pick<Variant, 'apart' | 'size'>,
): Promise<Sample> {
  const { connections, tokens: each, warmUps, repeats, enoughSeconds = Number.POSITIVE_INFINITY } = size
  const checkStored = await watchStore(contender)
  const taken: Burst[] = []
  let asked = 0
  for (let repeat = 0; repeat < warmUps + repeats; repeat += 1) {
    if (taken.reduce((sum, { seconds }) => sum + seconds, 0) > enoughSeconds) break
    asked += connections
    await load.do({ do: 'open', target: contender.target, count: connections })
    const burst = await oneBurst(rig, contender, load, { do: 'burst', tokens: each, apart })
    await load.do({ do: 'leave' })
    if (repeat >= warmUps) taken.push(burst)
  }
  await checkStored(asked)
  const sum = (value: (burst: Burst) => number): number => taken.reduce((total, burst) => total + value(burst), 0)
  const tokens = sum((burst) => burst.tokens)
  const seconds = sum((burst) => burst.seconds)
  const values = {
    cpu: (sum(({ spent }) => spent.server) / tokens) * MILLION,
    rate: tokens / seconds,
    stall: Math.max(...taken.map(({ stall }) => stall)),
    database: (sum(({ spent }) => spent.database) / tokens) * MILLION,
    loadSide: sum(({ spent }) => spent.loadSide) / seconds,
    others: sum(({ spent }) => spent.others) / sum(({ spent }) => spent.wall),
  }
  return { values, notes: [] }
}

type Burst = BurstResult & { readonly spent: Spent; readonly stall: number }

async function oneBurst(rig: Rig, contender: Contender, load: Load, command: LoadCommand): Promise<Burst> {
  await probe(contender, { do: 'reset' })
  const [result, spent] = await rig.spentBy(contender, load, async () => {
    const burst = await load.do<BurstResult>(command)
    await sleep(SETTLE_MS)
    return burst
  })
  return { ...result, spent, stall: await probe(contender, { do: 'stall' }) }
}
