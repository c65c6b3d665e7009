import { setTimeout as sleep } from 'node:timers/promises'
import { type Contender, serverRssKib } from '../contenders/contender.ts'
import { Latencies } from '../load/latencies.ts'
import type { MixResult } from '../load/load-command.ts'
import type { ProbeFigures } from '../probe.ts'
import type { Load } from '../rig/loads.ts'
import { figures, type Rig } from '../rig/rig.ts'
import { ARRIVALS, type MixOptions, TOKENS_PER_SECOND, TOOLS } from './mixed.ts'
import { FROM_UPSTREAM, type Metric, measuring, type Sample, type Scenario } from './scenario.ts'
import { watchStore } from './stored.ts'

const MINUTES = 2
const SECONDS_PER_MINUTE = 60
/** Before the first figures: code is compiled, pools are filled, and memory has its working size. */
const WARM_UP_SECONDS = 15
/**
 * What is idle leaves memory after 5 s instead of minutes, and few sessions stay known: nobody waits here. Longer than anyone of the
 * mix is away: who comes back gets a tail.
 */
const ENVIRONMENT = {
  PARLEY_HISTORY_IDLE: '5s',
  PARLEY_LOG_IDLE: '5s',
  PARLEY_SESSIONS_IN_MEMORY: '200',
}
/** Longer than any of them, and than idle connections upstream are kept. */
const SETTLE_MS = 9000
const KIB_PER_MIB = 1024
const BYTES_PER_MIB = 1024 * 1024

const METRICS: readonly Metric[] = [
  { key: 'runs', label: 'answers, each whole and in order', digits: 0 },
  { key: 'tokens', label: 'tokens', digits: 0 },
  { key: 'rssBefore', label: 'RSS at the start, MiB', digits: 1 },
  { key: 'rssAfter', label: 'RSS at the end, MiB', digits: 1 },
  { key: 'heapBefore', label: 'live heap at the start, MiB', digits: 2 },
  { key: 'heapAfter', label: 'live heap at the end, MiB', digits: 2 },
  { key: 'heapPerRun', label: 'live heap grown per answer, bytes', digits: 0 },
  { key: 'filesBefore', label: 'open files at the start', digits: 0 },
  { key: 'filesAfter', label: 'open files at the end', digits: 0 },
  { key: 'handlesBefore', label: 'handles and timers at the start', digits: 0 },
  { key: 'handlesAfter', label: 'handles and timers at the end', digits: 0 },
  { key: 'p99First', label: 'latency of a token p99, first half, ms', digits: 2 },
  { key: 'p99Second', label: 'latency of a token p99, second half, ms', digits: 2 },
  { key: 'askFirst', label: 'planned asking to first token p99, first half, ms', digits: 2 },
  { key: 'askSecond', label: 'planned asking to first token p99, second half, ms', digits: 2 },
  { key: 'loadSide', label: 'load side, share of its core', digits: 2 },
]

type Figures = ProbeFigures & { readonly rss: number }
type Half = { readonly mix: MixResult; readonly p99: number; readonly loadSide: number }

/** The same load all the time, and what the server holds before and after it with nobody there. */
export function soak({ seed, minutes = MINUTES, arrivals = ARRIVALS / 2 }: MixOptions): Scenario {
  return {
    name: 'soak',
    title: `soak: ${minutes} min of ${arrivals} arrivals/s; what is left when all have gone (seed ${seed})`,
    alone: true,
    latency: FROM_UPSTREAM,
    metrics: METRICS,
    measure: (rig, start) =>
      measuring(
        rig,
        start,
        async (contender, load) => {
          const checkStored = await watchStore(contender)
          const play = (part: number, seconds: number): Promise<MixResult> => {
            const { target } = contender
            const tools = target.countsPerSecond === undefined
            const plan = { seed: seed + part, seconds, arrivals, shape: 'even', tools } as const
            return load.do<MixResult>({ do: 'mix', target, rate: TOKENS_PER_SECOND, ...plan })
          }
          const warm = await play(0, WARM_UP_SECONDS)
          const before = await settled(contender)
          const half = (part: number): Promise<Half> =>
            halfOf(rig, contender, load, () => play(part, (minutes * SECONDS_PER_MINUTE) / 2))
          const halves = [await half(LOADERS_APART), await half(LOADERS_APART * 2)] as const
          const after = await settled(contender)
          const all = [warm, ...halves.map(({ mix }) => mix)]
          const sum = (of: (mix: MixResult) => number): number => all.reduce((total, mix) => total + of(mix), 0)
          await checkStored(
            sum(({ runs }) => runs),
            sum(({ tools }) => tools),
          )
          return summary(halves, before, after)
        },
        { env: ENVIRONMENT, tools: TOOLS },
      ),
  }
}

/** Load processes take the seed and the numbers after it. */
const LOADERS_APART = 1000

async function halfOf(rig: Rig, contender: Contender, load: Load, play: () => Promise<MixResult>): Promise<Half> {
  await load.window()
  const [mix, spent] = await rig.spentBy(contender, load, play)
  const { latency } = await load.window()
  return { mix, p99: latency.p99, loadSide: spent.loadSide / spent.wall }
}

async function settled(contender: Contender): Promise<Figures> {
  if (contender.process !== undefined) await sleep(SETTLE_MS)
  return { ...(await figures(contender)), rss: serverRssKib(contender) / KIB_PER_MIB }
}

function summary(halves: readonly [Half, Half], before: Figures, after: Figures): Sample {
  const [first, second] = halves
  const runs = first.mix.runs + second.mix.runs
  const ask = ({ mix }: Half): number => Latencies.decode(mix.firsts).at(0.99)
  const values = {
    runs,
    tokens: first.mix.tokens + second.mix.tokens,
    rssBefore: before.rss,
    rssAfter: after.rss,
    heapBefore: before.heap / BYTES_PER_MIB,
    heapAfter: after.heap / BYTES_PER_MIB,
    heapPerRun: (after.heap - before.heap) / runs,
    filesBefore: before.files,
    filesAfter: after.files,
    handlesBefore: before.handles,
    handlesAfter: after.handles,
    p99First: first.p99,
    p99Second: second.p99,
    askFirst: ask(first),
    askSecond: ask(second),
    loadSide: Math.max(first.loadSide, second.loadSide),
  }
  return { values, notes: [] }
}
