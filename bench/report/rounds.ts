import { median } from '../load/latencies.ts'
import type { Metric, Sample } from '../scenarios/scenario.ts'

export type Spread = { readonly least: number; readonly median: number; readonly most: number }

/** A value, and what R had of the same metric in the same round. */
type Pair = { readonly own: number; readonly relay: number }

export function spreadOf(values: readonly number[]): Spread | undefined {
  if (values.length === 0) return undefined
  return { least: Math.min(...values), median: median(values), most: Math.max(...values) }
}

export function valuesOf(samples: readonly Sample[], key: Metric['key']): number[] {
  return samples.map(({ values }) => values[key]).filter(isKnown)
}

/** Rounds in which both are known. A machine that changes its speed between two rounds is the same for both in each. */
export function pairsOf(own: readonly Sample[], relay: readonly Sample[], key: Metric['key']): Pair[] {
  return own.flatMap((sample, index) => {
    const beside = relay.find((other, at) => roundOf(other, at) === roundOf(sample, index))
    const pair = { own: sample.values[key], relay: beside?.values[key] }
    return isKnown(pair.own) && isKnown(pair.relay) ? [{ own: pair.own, relay: pair.relay }] : []
  })
}

/** Over R's of the same round; of a round in which R had nothing there is none. */
export function ratiosOf(own: readonly Sample[], relay: readonly Sample[], key: Metric['key']): number[] {
  return pairsOf(own, relay, key).flatMap((pair) => (pair.relay > 0 ? [pair.own / pair.relay] : []))
}

/** Of a report from before samples said their round, they stand in its order. */
function roundOf({ round }: Sample, index: number): number {
  return round ?? index + 1
}

/** NaN is what could not be known: of a server that is not ours. Infinity is what became of nothing. */
function isKnown(value: number | undefined): value is number {
  return value !== undefined && Number.isFinite(value)
}
