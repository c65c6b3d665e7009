/** In milliseconds. */
export type LatencySummary = {
  readonly count: number
  readonly p50: number
  readonly p99: number
  readonly max: number
}

const MICROSECONDS_PER_MS = 1000

/** Samples of a window, exact: a window of 200 sessions is some ten thousand numbers. */
export class Latencies {
  #samples: number[] = []

  add(micros: number): void {
    this.#samples.push(micros)
  }

  clear(): void {
    this.#samples = []
  }

  summary(): LatencySummary {
    const sorted = Float64Array.from(this.#samples).sort()
    const at = (share: number): number => {
      const index = Math.min(sorted.length - 1, Math.floor(sorted.length * share))
      return (sorted[index] ?? 0) / MICROSECONDS_PER_MS
    }
    return { count: sorted.length, p50: at(0.5), p99: at(0.99), max: at(1) }
  }
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const [low = 0, high = 0] = [sorted[sorted.length % 2 === 0 ? middle - 1 : middle], sorted[middle]]
  return (low + high) / 2
}
