import { setTimeout as sleep } from 'node:timers/promises'
import type { Contender } from './contender.ts'
import { Latencies } from './latencies.ts'
import type { StopsResult } from './load-command.ts'
import type { Load } from './loads.ts'
import type { Rig } from './rig.ts'
import { absolute, atMost, atMostPlus, FROM_UPSTREAM, measuring, type Sample, type Scenario } from './scenario.ts'

const TOKENS_PER_SECOND = 50

export type StopSize = {
  readonly sessions: number
  /** 0: the first stops count. */
  readonly warmUpSeconds: number
  readonly seconds: number
  /** Far above any p99: a request that is still open after it was not aborted. */
  readonly settleMs: number
}

const WHOLE: StopSize = { sessions: 200, warmUpSeconds: 3, seconds: 15, settleMs: 2000 }

/** P6: from asking to stop to the upstream seeing its request gone, while everyone else streams. */
export const stop: Scenario = {
  name: 'stop',
  title: `P6 stop: ${WHOLE.sessions} sessions x ${TOKENS_PER_SECOND} tokens/s, each stopped every 2 s or so`,
  latency: FROM_UPSTREAM,
  metrics: [
    { key: 'p50', label: 'stop to upstream aborted p50, ms', digits: 2, goal: atMostPlus(1, 'ms') },
    { key: 'p99', label: 'stop to upstream aborted p99, ms', digits: 2, goal: atMost(1) },
    { key: 'aborted', label: 'aborted, % of stops', digits: 2, goal: absolute('= 100', (share) => share === 100) },
    { key: 'after', label: 'frames of tokens after the ack', digits: 0, goal: absolute('= 0', (count) => count === 0) },
    { key: 'stops', label: 'stops', digits: 0 },
    { key: 'others', label: 'others, cores', digits: 2 },
  ],
  measure: (rig, start) => measuring(rig, start, (contender, load) => stopsOf(rig, contender, load, WHOLE)),
}

export async function stopsOf(rig: Rig, contender: Contender, load: Load, size: StopSize): Promise<Sample> {
  const { sessions, warmUpSeconds, seconds, settleMs } = size
  await load.do({ do: 'open', target: contender.target, count: sessions })
  if (warmUpSeconds > 0) {
    await load.do({ do: 'stops', rate: TOKENS_PER_SECOND, seconds: warmUpSeconds })
    await sleep(settleMs)
  }
  await rig.upstreamReport()
  const [{ asked, tokensAfterAck }, spent] = await rig.spentBy(contender, load, () =>
    load.do<StopsResult>({ do: 'stops', rate: TOKENS_PER_SECOND, seconds }),
  )
  await sleep(settleMs)
  const { aborted, open } = await rig.upstreamReport()
  const latencies = new Latencies()
  for (const [tag, at] of Object.entries(asked)) {
    const seen = aborted[tag]
    if (seen !== undefined) latencies.add(seen - at)
  }
  const { count } = latencies
  // Of nothing that was aborted there is no time.
  const { p50, p99 } = count > 0 ? latencies.summary() : { p50: Number.NaN, p99: Number.NaN }
  const stops = Object.keys(asked).length
  const others = spent.others / spent.wall
  const values = { p50, p99, aborted: (count / stops) * 100, after: tokensAfterAck, stops, others }
  return { values, notes: open > 0 ? [`${open} requests left open upstream`] : [] }
}
