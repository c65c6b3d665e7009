/** In milliseconds; `count` is how many were measured. */
export type LatencySummary = {
  readonly count: number
  readonly p50: number
  readonly p99: number
  readonly p999: number
  readonly max: number
}

const MICROSECONDS_PER_MS = 1000

/** Counters of each power of two: a value is known to 1/512, and the middle of its counter is told: within 0.1 %. */
const COUNTERS_PER_OCTAVE = 512
const OCTAVE_BITS = 9
/** Below it every microsecond has a counter of its own. */
const EXACT_BELOW = COUNTERS_PER_OCTAVE * 2
/** 35 minutes: nothing here waits longer, and shifts of 31 bits are enough. */
const LONGEST_MICROS = 2 ** 31 - 1
const COUNTERS = counterOf(LONGEST_MICROS) + 1

function counterOf(micros: number): number {
  if (micros < EXACT_BELOW) return micros
  const shift = 31 - Math.clz32(micros) - OCTAVE_BITS
  return COUNTERS_PER_OCTAVE * shift + (micros >>> shift)
}

/** The middle of what a counter counts, in microseconds. */
function middleOf(counter: number): number {
  if (counter < EXACT_BELOW) return counter
  const shift = Math.floor(counter / COUNTERS_PER_OCTAVE) - 1
  const least = (counter - COUNTERS_PER_OCTAVE * shift) * 2 ** shift
  return least + (2 ** shift - 1) / 2
}

/**
 * A log-linear histogram, as HdrHistogram's: 47 KiB however many values, a few nanoseconds each, and two of them add up to
 * exactly the histogram of both. Our own, because the library takes up to 30 ms for packing one, on the loop that measures.
 */
export class Latencies {
  readonly #counts = new Uint32Array(COUNTERS)
  #count = 0
  #least = Number.POSITIVE_INFINITY
  #most = 0

  get count(): number {
    return this.#count
  }

  /** Of clocks of two processes a difference may be a little below zero: it counts as none. */
  add(micros: number): void {
    const whole = Math.min(LONGEST_MICROS, Math.max(0, Math.round(micros)))
    const counter = counterOf(whole)
    this.#counts[counter] = (this.#counts[counter] ?? 0) + 1
    this.#count += 1
    if (whole < this.#least) this.#least = whole
    if (whole > this.#most) this.#most = whole
  }

  merge(other: Latencies): void {
    if (other.#count === 0) return
    for (let at = counterOf(other.#least); at <= counterOf(other.#most); at++)
      this.#counts[at] = (this.#counts[at] ?? 0) + (other.#counts[at] ?? 0)
    this.#count += other.#count
    this.#least = Math.min(this.#least, other.#least)
    this.#most = Math.max(this.#most, other.#most)
  }

  clear(): void {
    this.#counts.fill(0)
    this.#count = 0
    this.#least = Number.POSITIVE_INFINITY
    this.#most = 0
  }

  /** Milliseconds that `share` (0 to 1) of all took at the most; 0 when there are none. */
  at(share: number): number {
    if (this.#count === 0) return 0
    const rank = Math.max(1, Math.ceil(this.#count * share))
    if (rank === this.#count) return this.#most / MICROSECONDS_PER_MS
    let seen = 0
    for (let at = counterOf(this.#least); at < COUNTERS; at++) {
      seen += this.#counts[at] ?? 0
      if (seen >= rank) return Math.min(this.#most, Math.max(this.#least, middleOf(at))) / MICROSECONDS_PER_MS
    }
    return this.#most / MICROSECONDS_PER_MS
  }

  /** The share (0 to 1) of all that took at most so many milliseconds; 0 when there are none. */
  shareWithin(ms: number): number {
    const last = counterOf(Math.min(LONGEST_MICROS, Math.round(ms * MICROSECONDS_PER_MS)))
    const within = this.#counts.subarray(0, last + 1).reduce((sum, count) => sum + count, 0)
    return this.#count === 0 ? 0 : within / this.#count
  }

  summary(): LatencySummary {
    return { count: this.#count, p50: this.at(0.5), p99: this.at(0.99), p999: this.at(0.999), max: this.at(1) }
  }

  /** `least most counter:count …`, for another process or a file; empty when there are none. */
  encode(): string {
    if (this.#count === 0) return ''
    const parts = [`${this.#least} ${this.#most}`]
    for (let at = counterOf(this.#least); at <= counterOf(this.#most); at++) {
      const count = this.#counts[at] ?? 0
      if (count > 0) parts.push(`${at}:${count}`)
    }
    return parts.join(' ')
  }

  /** Of what `encode` wrote; throws on anything else. */
  static decode(text: string): Latencies {
    const latencies = new Latencies()
    if (text === '') return latencies
    const [least, most, ...counters] = text.split(' ')
    latencies.#least = Number(least)
    latencies.#most = Number(most)
    for (const part of counters) {
      const [at, count] = part.split(':').map(Number)
      if (at === undefined || !(at < COUNTERS) || count === undefined || !(count > 0))
        throw new Error(`"${part}" is no counter of a histogram`)
      latencies.#counts[at] = count
      latencies.#count += count
    }
    return latencies
  }
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const [low = 0, high = 0] = [sorted[sorted.length % 2 === 0 ? middle - 1 : middle], sorted[middle]]
  return (low + high) / 2
}
