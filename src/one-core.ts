import { availableParallelism } from 'node:os'
import { setFlagsFromString } from 'node:v8'

/**
 * To be called before there is a heap to speak of. V8 marks what is alive on threads of its own while we run. Where this process has
 * one core they take it from the event loop, for up to 130 ms at a time here, and every token and stop waits for that; in
 * small steps of the loop's own the same work is hardly seen (docs/performance.md).
 */
export function collectOnOneCore(cores = availableParallelism()): void {
  if (cores === 1) setFlagsFromString('--no-concurrent-marking')
}
