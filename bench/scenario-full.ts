import { setTimeout as sleep } from 'node:timers/promises'
import type { Contender } from './contender.ts'
import type { BurstResult } from './load.ts'
import { type Load, probe, type Rig, type Spent } from './rig.ts'
import { atLeast, atMost, measuring, type Sample, type Scenario } from './scenario.ts'
import { watchStore } from './stored.ts'

const CONNECTIONS = 50
const TOKENS = 2000
/** Enough for the compiler to have seen every path, on connections of their own. */
const WARM_UP_REPEATS = 2
/** 400,000 tokens: some 5 s, against CPU times that tick every 10 ms. */
const REPEATS = 4
/** What a server does just after the last token (saving, collecting) is part of its cost. */
const SETTLE_MS = 250
const MILLION = 1e6
/** Above this share of its core the load side may be what limits the throughput. */
const LOAD_SIDE_SATURATED = 0.9
const SATURATED = 'the load side was near its limit: throughput is a lower bound'

/** P1: as fast as it goes. Every repeat runs on new sessions, so that no history is re-sent to the model. */
export const full: Scenario = fullSpeed({
  name: 'full',
  title: `P1 full speed: ${CONNECTIONS} connections x ${TOKENS} tokens, as fast as the server reads`,
  apart: false,
})

/** The same with every token a segment of its own, as a model that flushes each: reading costs what it costs. */
export const apart: Scenario = fullSpeed({
  name: 'apart',
  title: `P1 full speed, each token a write of its own (the load side is near its limit: judge by CPU)`,
  apart: true,
})

type Variant = { readonly name: string; readonly title: string; readonly apart: boolean }

function fullSpeed(variant: Variant): Scenario {
  return {
    name: variant.name,
    title: variant.title,
    metrics: [
      { key: 'cpu', label: 'server CPU s per million tokens', digits: 2, goal: atMost(0.8) },
      { key: 'rate', label: 'tokens/s per core', digits: 0, ...(variant.apart ? {} : { goal: atLeast(1.3) }) },
      { key: 'stall', label: 'longest loop stall, ms', digits: 0 },
      { key: 'database', label: 'Postgres CPU s per million tokens', digits: 2 },
      { key: 'loadSide', label: 'load side, share of its core', digits: 2 },
      { key: 'others', label: 'others, cores', digits: 2 },
    ],
    measure: (rig, start) => measuring(rig, start, (contender, load) => bursts(rig, contender, load, variant.apart)),
  }
}

async function bursts(rig: Rig, contender: Contender, load: Load, apart: boolean): Promise<Sample> {
  const checkStored = await watchStore(contender)
  const taken: Burst[] = []
  for (let repeat = 0; repeat < WARM_UP_REPEATS + REPEATS; repeat += 1) {
    await load.do({ do: 'open', target: contender.target, count: CONNECTIONS })
    const burst = await oneBurst(rig, contender, load, apart)
    await load.do({ do: 'leave' })
    if (repeat >= WARM_UP_REPEATS) taken.push(burst)
  }
  await checkStored(CONNECTIONS * (WARM_UP_REPEATS + REPEATS))
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
  return { values, notes: values.loadSide > LOAD_SIDE_SATURATED ? [SATURATED] : [] }
}

type Burst = BurstResult & { readonly spent: Spent; readonly stall: number }

async function oneBurst(rig: Rig, contender: Contender, load: Load, apart: boolean): Promise<Burst> {
  await probe(contender, { do: 'reset' })
  const [result, spent] = await rig.spentBy(contender, load, async () => {
    const burst = await load.do<BurstResult>({ do: 'burst', tokens: TOKENS, apart })
    await sleep(SETTLE_MS)
    return burst
  })
  return { ...result, spent, stall: await probe(contender, { do: 'stall' }) }
}
