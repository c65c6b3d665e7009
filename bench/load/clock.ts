const MICROSECONDS_PER_SECOND = 1_000_000
const NANOSECONDS_PER_MICROSECOND = 1000

/**
 * Microseconds on the machine's monotonic clock: comparable between processes of one machine. Read each time, not reckoned from
 * `performance.now()` by an offset: a process that is held up between two readings would be late by that ever after.
 */
export function nowMicros(): number {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * MICROSECONDS_PER_SECOND + Math.round(nanoseconds / NANOSECONDS_PER_MICROSECOND)
}
