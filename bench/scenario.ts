import type { Contender, Start } from './contender.ts'
import type { Load, Rig } from './rig.ts'

/** What one measurement of one server yields, by metric key. */
export type Sample = { readonly values: Readonly<Record<string, number>>; readonly notes: readonly string[] }

/** A goal of docs/performance.md, judged on medians. */
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
  readonly metrics: readonly Metric[]
  readonly measure: (rig: Rig, start: Start) => Promise<Sample>
}

/** Starts a server and a load process, measures, and stops both whatever happens. */
export async function measuring(
  rig: Rig,
  start: Start,
  measure: (contender: Contender, load: Load) => Promise<Sample>,
): Promise<Sample> {
  const contender = await start({ upstreamUrl: rig.upstreamUrl, outDir: rig.outDir })
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
