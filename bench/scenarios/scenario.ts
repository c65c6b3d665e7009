import type { Contender, Place, Start } from '../contenders/contender.ts'
import type { Load } from '../rig/loads.ts'
import type { Watched } from '../rig/point.ts'
import type { Rig } from '../rig/rig.ts'

/** What one measurement of one server yields, by metric key. */
export type Sample = {
  /** What is NaN is not known, and shown nowhere. */
  readonly values: Readonly<Record<string, number>>
  readonly notes: readonly string[]
  /** From 1. */
  readonly round?: number
  /** How it went. */
  readonly watched?: Watched
}

/** What most latencies are. */
export const FROM_UPSTREAM = "from the upstream's write of a token to the client's read"

/** A goal of docs/performance.md, judged in each round: it is reached when most of them reach it. */
export type Goal = { readonly text: string; readonly reached: (parley: number, relay: number) => boolean }

export type Metric = {
  readonly key: string
  readonly label: string
  readonly digits: number
  readonly goal?: Goal
}

export type Scenario = {
  readonly name: string
  readonly title: string
  /** R does nothing of the kind: Parley is measured alone. */
  readonly alone?: boolean
  /** What the latencies over time and their percentiles are of, for the report. */
  readonly latency: string
  readonly metrics: readonly Metric[]
  readonly measure: (rig: Rig, start: Start) => Promise<Sample>
}

/** Starts a server and a load process, measures, and stops both whatever happens. */
export async function measuring(
  rig: Rig,
  start: Start,
  measure: (contender: Contender, load: Load) => Promise<Sample>,
  more: Pick<Place, 'env' | 'tools'> = {},
): Promise<Sample> {
  const contender = await start({ upstreamUrl: rig.upstreamUrl, outDir: rig.outDir, ...more })
  const load = rig.startLoad()
  try {
    return await measure(contender, load)
  } finally {
    await load.stop()
    await contender.stop()
  }
}

export function atMost(share: number): Goal {
  return { text: `<= ${share} R`, reached: (parley, relay) => parley <= share * relay }
}

export function atLeast(share: number): Goal {
  return { text: `>= ${share} R`, reached: (parley, relay) => parley >= share * relay }
}

/** At most R's own plus a margin in the metric's unit. */
export function atMostPlus(margin: number, unit: string): Goal {
  return { text: `<= R + ${margin} ${unit}`, reached: (parley, relay) => parley <= relay + margin }
}

export function absolute(text: string, reached: (parley: number) => boolean): Goal {
  return { text, reached }
}
