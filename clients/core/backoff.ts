/** Milliseconds. The first wait's upper bound: a restart of the server takes about this long. */
const BASE_DELAY_MS = 500
/** Milliseconds. No wait's bound grows above it: a person looks at the page meanwhile. */
const MAX_DELAY_MS = 10_000

/**
 * Milliseconds to wait before attempt `attempt` (from 1): doubling, with full jitter, so that the clients of a server that
 * died do not come back at once. `floorMs`: what the server asked for.
 */
export function reconnectDelay(attempt: number, random: number, floorMs = 0): number {
  const bound = Math.min(MAX_DELAY_MS, BASE_DELAY_MS * 2 ** (attempt - 1))
  return Math.round(floorMs + random * bound)
}
