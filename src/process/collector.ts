import { availableParallelism } from 'node:os'
import { setFlagsFromString } from 'node:v8'

/**
 * What V8 is told of collecting garbage; to be called before there is a heap to speak of. docs/performance.md has what it saves.
 * @param cores those that this process may run on
 */
export function tuneCollector(cores = availableParallelism()): void {
  // A full collection when what is alive has doubled. By itself V8 takes one for every few MB that a server with little in memory adds.
  setFlagsFromString('--heap-growing-percent=100')
  // V8 makes an object old from the start where those of its line once stayed, as in the rush of starting. What lives for a moment is
  // then old as well, and so is all that it holds: a fifth of a token's garbage, up to 50 ms for a young collection, a full one each 4 s.
  setFlagsFromString('--no-allocation-site-pretenuring')
  // V8 marks what is alive on threads of its own. With one core they take it from the event loop, for up to 130 ms at a time here,
  // and every token and stop waits for that; in small steps of the loop's own the same work is hardly seen.
  if (cores === 1) setFlagsFromString('--no-concurrent-marking')
}
