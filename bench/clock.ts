const MICROSECONDS_PER_MS = 1000
const NANOSECONDS_PER_MICROSECOND = 1000n

const offset = Number(process.hrtime.bigint() / NANOSECONDS_PER_MICROSECOND) - performance.now() * MICROSECONDS_PER_MS

/** Microseconds on the machine's monotonic clock: comparable between processes of one machine. */
export function nowMicros(): number {
  return Math.round(performance.now() * MICROSECONDS_PER_MS + offset)
}
