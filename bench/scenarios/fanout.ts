import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Contender } from '../contenders/contender.ts'
import { median } from '../load/latencies.ts'
import type { BurstResult } from '../load/load-command.ts'
import type { Load } from '../rig/loads.ts'
import { probe, type Rig } from '../rig/rig.ts'
import { absolute, atMost, FROM_UPSTREAM, measuring, type Sample, type Scenario } from './scenario.ts'

const WATCHERS = 1000
const TOKENS_PER_SECOND = 50
const WARM_UP_MS = 3000
const WINDOW_MS = 3000
const WINDOWS = 5
/** Of one answer as fast as it comes. */
const BURST_TOKENS = 2000
const BURSTS = 3
const GOAL_DELIVERIES = 500_000
const ENVIRONMENT = { PARLEY_CONNECTIONS_PER_SESSION: String(WATCHERS + 1) }

/** P7: one session that many watch. R hands its frames to the library's own publish. */
export const fanout: Scenario = {
  name: 'fanout',
  title: `P7 fanout: one session, ${WATCHERS} watchers, ${TOKENS_PER_SECOND} tokens/s; then ${BURST_TOKENS} tokens at full speed`,
  latency: FROM_UPSTREAM,
  metrics: [
    { key: 'cpu', label: 'paced: server CPU, share of a core', digits: 3, goal: atMost(1.1) },
    { key: 'p50', label: 'paced: latency p50, ms', digits: 2 },
    { key: 'stall', label: 'paced: longest loop stall, ms', digits: 0 },
    {
      key: 'deliveries',
      label: 'full speed: tokens delivered per second',
      digits: 0,
      goal: absolute(`>= ${GOAL_DELIVERIES}`, (rate) => rate >= GOAL_DELIVERIES),
    },
    { key: 'loadSide', label: 'load side, share of its core', digits: 2 },
  ],
  measure: (rig, start) =>
    measuring(rig, start, (contender, load) => watched(rig, contender, load), { env: ENVIRONMENT }),
}

async function watched(rig: Rig, contender: Contender, load: Load): Promise<Sample> {
  const sessionIds = Array.from({ length: WATCHERS }, () => '').fill(randomUUID())
  const { target } = contender
  const path = contender.name === 'R' ? `${target.path}?shared=1` : target.path
  await load.do({ do: 'open', target: { ...target, path }, count: WATCHERS, sessionIds })
  const bursts: BurstResult[] = []
  for (let nth = 0; nth < BURSTS; nth++)
    bursts.push(await load.do<BurstResult>({ do: 'watch', rate: 0, tokens: BURST_TOKENS }))
  const seconds = (WARM_UP_MS + WINDOW_MS * (WINDOWS + 2)) / 1000
  await load.do({ do: 'watch on', rate: TOKENS_PER_SECOND, tokens: TOKENS_PER_SECOND * seconds })
  await sleep(WARM_UP_MS)
  const shares: { readonly cpu: number; readonly loadSide: number; readonly p50: number }[] = []
  await probe(contender, { do: 'reset' })
  for (let nth = 0; nth < WINDOWS; nth++) {
    await load.window()
    const [, spent] = await rig.spentBy(contender, load, () => sleep(WINDOW_MS))
    const { latency } = await load.window()
    shares.push({ cpu: spent.server / spent.wall, loadSide: spent.loadSide / spent.wall, p50: latency.p50 })
  }
  const stall = await probe(contender, { do: 'stall' })
  await load.do({ do: 'cancel' })
  const values = {
    cpu: median(shares.map(({ cpu }) => cpu)),
    p50: median(shares.map(({ p50 }) => p50)),
    stall,
    deliveries: median(bursts.map(({ tokens, seconds: took }) => tokens / took)),
    loadSide: median(shares.map(({ loadSide }) => loadSide)),
  }
  return { values, notes: [] }
}
