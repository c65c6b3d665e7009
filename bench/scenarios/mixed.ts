import { Latencies } from '../load/latencies.ts'
import type { MixResult } from '../load/load-command.ts'
import type { Options } from '../rig/options.ts'
import { FROM_UPSTREAM, type Metric, measuring, type Sample, type Scenario } from './scenario.ts'
import { watchStore } from './stored.ts'

export type MixOptions = Pick<Options, 'seed' | 'minutes' | 'arrivals'>

/** A day in a minute. */
const MINUTES = 1
export const ARRIVALS = 10
/** Of an answer; a fast model's. */
export const TOKENS_PER_SECOND = 50
/** The one that the upstream calls. */
export const TOOLS = ['calculator']
const SECONDS_PER_MINUTE = 60
const MILLION = 1e6

/** What a mix says of itself, in the order of a visit. */
const METRICS: readonly Metric[] = [
  { key: 'people', label: 'people who came', digits: 0 },
  { key: 'mostAtOnce', label: 'most at once', digits: 0 },
  { key: 'runs', label: 'answers, each whole and in order', digits: 0 },
  { key: 'tools', label: 'of them with a tool', digits: 0 },
  { key: 'stopped', label: 'of them stopped', digits: 0 },
  { key: 'cut', label: 'of them with a lost line', digits: 0 },
  { key: 'tokens', label: 'tokens', digits: 0 },
  { key: 'connectP50', label: 'planned arrival to session.ready p50, ms', digits: 2 },
  { key: 'connectP99', label: 'planned arrival to session.ready p99, ms', digits: 2 },
  { key: 'firstP50', label: 'planned asking to first token p50, ms', digits: 2 },
  { key: 'firstP99', label: 'planned asking to first token p99, ms', digits: 2 },
  { key: 'stopP99', label: 'asking to stop to the end of the run p99, ms', digits: 2 },
  { key: 'backP99', label: 'coming back to session.ready p99, ms', digits: 2 },
  { key: 'p50', label: 'latency of a token p50, ms', digits: 2 },
  { key: 'p99', label: 'latency of a token p99, ms', digits: 2 },
  { key: 'after', label: 'frames of tokens after the ack of a stop', digits: 0 },
  { key: 'lateness', label: "the load's own lateness p99, ms (contained above)", digits: 2 },
  { key: 'cpu', label: 'server CPU s per million tokens', digits: 1 },
  { key: 'loadSide', label: 'load side, share of its core', digits: 2 },
]

/** A day's shape: people come, think, ask, use tools, stop, lose their line, come back, go. R knows no sessions. */
export function mixed({ seed, minutes = MINUTES, arrivals = ARRIVALS }: MixOptions): Scenario {
  return {
    name: 'mixed',
    title: `mixed: a day in ${minutes} min, up to ${arrivals} arrivals/s, think, tools, stops, lost lines (seed ${seed})`,
    alone: true,
    latency: FROM_UPSTREAM,
    metrics: METRICS,
    measure: (rig, start) =>
      measuring(
        rig,
        start,
        async (contender, load) => {
          const { target } = contender
          const tools = target.countsPerSecond === undefined
          const checkStored = await watchStore(contender)
          const plan = { seed, seconds: minutes * SECONDS_PER_MINUTE, arrivals, shape: 'day', tools } as const
          const [mix, spent] = await rig.spentBy(contender, load, () =>
            load.do<MixResult>({ do: 'mix', target, rate: TOKENS_PER_SECOND, ...plan }),
          )
          const { latency } = await load.window()
          await checkStored(mix.runs, mix.tools)
          const values = {
            ...valuesOf(mix),
            p50: latency.p50,
            p99: latency.p99,
            cpu: (spent.server / mix.tokens) * MILLION,
            loadSide: spent.loadSide / spent.wall,
          }
          return { values, notes: tools ? [] : ["no tools: the server's model calls none that can be checked"] }
        },
        { tools: TOOLS },
      ),
  }
}

function valuesOf(mix: MixResult): Sample['values'] {
  const of = (packed: string, share: number): number => {
    const latencies = Latencies.decode(packed)
    return latencies.count === 0 ? Number.NaN : latencies.at(share)
  }
  const { people, mostAtOnce, runs, tools, stopped, cut, tokens } = mix
  return {
    people,
    mostAtOnce,
    runs,
    tools,
    stopped,
    cut,
    tokens,
    connectP50: of(mix.connects, 0.5),
    connectP99: of(mix.connects, 0.99),
    firstP50: of(mix.firsts, 0.5),
    firstP99: of(mix.firsts, 0.99),
    stopP99: of(mix.stops, 0.99),
    backP99: of(mix.backs, 0.99),
    after: mix.tokensAfterAck,
    lateness: of(mix.lateness, 0.99),
  }
}
