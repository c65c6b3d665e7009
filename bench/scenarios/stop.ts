import { setTimeout as sleep } from 'node:timers/promises'
import type { Contender } from '../contenders/contender.ts'
import { nowMicros } from '../load/clock.ts'
import { Latencies, type LatencySummary } from '../load/latencies.ts'
import type { StopsResult } from '../load/load-command.ts'
import type { Load } from '../rig/loads.ts'
import { probe, type Rig } from '../rig/rig.ts'
import { absolute, atMost, atMostPlus, FROM_UPSTREAM, measuring, type Sample, type Scenario } from './scenario.ts'
import { middleOf, type Spell, windowsToUse } from './windows.ts'

const TOKENS_PER_SECOND = 50

export type StopSize = {
  readonly sessions: number
  readonly warmUpSeconds: number
  readonly windowSeconds: number
  readonly windows: number
  /** So many windows are enough, if nobody else was on the machine in them. */
  readonly enough: number
  /** Far above any p99: a request that is still open after it was not aborted. */
  readonly settleMs: number
}

/** Some 450 stops in a window: its p99 is the fifth longest of them. */
const WHOLE: StopSize = { sessions: 200, warmUpSeconds: 5, windowSeconds: 4, windows: 8, enough: 5, settleMs: 2000 }

/** From when to when, in microseconds of the machine's clock; its longest loop stall in ms. */
type Window = Spell & { readonly from: number; readonly to: number; readonly stall: number }

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
    { key: 'server', label: 'server, share of its core', digits: 2 },
    { key: 'loadSide', label: 'load side, share of its core', digits: 2 },
    { key: 'stall', label: 'longest loop stall, ms', digits: 0 },
    { key: 'clean', label: 'undisturbed windows', digits: 0 },
  ],
  measure: (rig, start) => measuring(rig, start, (contender, load) => stopsOf(rig, contender, load, WHOLE)),
}

export async function stopsOf(rig: Rig, contender: Contender, load: Load, size: StopSize): Promise<Sample> {
  const { sessions, warmUpSeconds, windowSeconds, windows, settleMs } = size
  await load.do({ do: 'open', target: contender.target, count: sessions })
  await rig.upstreamReport()
  const seconds = warmUpSeconds + windowSeconds * windows
  const stopping = load.do<StopsResult>({ do: 'stops', rate: TOKENS_PER_SECOND, seconds })
  const [result, seen] = await Promise.all([stopping, windowsOf(rig, contender, load, size)])
  await sleep(settleMs)
  const { aborted, open } = await rig.upstreamReport()
  const sample = summary(result, aborted, seen, size)
  return open > 0 ? { ...sample, notes: [...sample.notes, `${open} requests left open upstream`] } : sample
}

async function windowsOf(rig: Rig, contender: Contender, load: Load, size: StopSize): Promise<readonly Window[]> {
  await sleep(size.warmUpSeconds * 1000)
  const windows: Window[] = []
  while (windows.length < size.windows) {
    await probe(contender, { do: 'reset' })
    const from = nowMicros()
    const [, spent] = await rig.spentBy(contender, load, () => sleep(size.windowSeconds * 1000))
    windows.push({ from, to: nowMicros(), spent, stall: await probe(contender, { do: 'stall' }) })
  }
  return windows
}

/** The latencies are medians of windows by when was asked; what must never happen is counted over all of the time. */
function summary(
  { asked, tokensAfterAck }: StopsResult,
  aborted: Readonly<Record<string, number>>,
  all: readonly Window[],
  { enough }: StopSize,
): Sample {
  const { windows, clean, notes } = windowsToUse(all, enough)
  const stops = Object.entries(asked).map(([tag, at]) => ({ at, gone: aborted[tag] }))
  const summaries = windows
    .map(({ from, to }) => latenciesOf(stops.filter(({ at }) => at >= from && at < to)))
    // Of nothing that was aborted there is no time.
    .filter(({ count }) => count > 0)
  const values = {
    p50: middleOf(summaries, ({ p50 }) => p50),
    p99: middleOf(summaries, ({ p99 }) => p99),
    aborted: (stops.filter(({ gone }) => gone !== undefined).length / stops.length) * 100,
    after: tokensAfterAck,
    stops: stops.length,
    server: middleOf(windows, ({ spent }) => spent.server / spent.wall),
    loadSide: middleOf(windows, ({ spent }) => spent.loadSide / spent.wall),
    stall: Math.max(...windows.map(({ stall }) => stall)),
    clean,
  }
  return { values, notes }
}

function latenciesOf(stops: readonly { readonly at: number; readonly gone: number | undefined }[]): LatencySummary {
  const latencies = new Latencies()
  for (const { at, gone } of stops) if (gone !== undefined) latencies.add(gone - at)
  return latencies.summary()
}
