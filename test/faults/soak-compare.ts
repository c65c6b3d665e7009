import type { Figures } from './soak-figures.ts'

const MIB = 1024 * 1024
/** The heap may end a tenth above where it began, and what V8 itself keeps of compiled code and lists above that. */
const HEAP_SHARE = 0.1
const HEAP_ALLOWANCE = MIB
/** Memory that V8 and the allocator have once had of the system they give back slowly, if at all. */
const RSS_SHARE = 0.5
const RSS_ALLOWANCE = 64 * MIB
const EXTERNAL_ALLOWANCE = 2 * MIB
/**
 * Bytes of heap that one run may leave behind, on the average, above the noise between two collections. A session's record
 * takes 1 KiB and a run more: what keeps one object of every run is over this at once.
 */
const BYTES_PER_RUN = 100
const NOISE = MIB

/** The default pool, what writes, what listens and what proves that the process lives. */
const MOST_BACKENDS = 8
/** One for each visitor of the soak that had a request on at once, and its title's. */
const MOST_POOLED = 32

/** What did not return to where it began. `runs`: how many lie between. */
export function leftovers(begin: Figures, end: Figures, runs: number): string[] {
  const found: string[] = []
  const most = (what: string, is: number, limit: number): void => {
    if (!(is <= limit)) found.push(`${what}: ${is} at the end, at most ${Math.round(limit)} allowed`)
  }
  most('heap', end.heap, begin.heap * (1 + HEAP_SHARE) + HEAP_ALLOWANCE)
  most(`heap after ${runs} runs`, end.heap, begin.heap + NOISE + runs * BYTES_PER_RUN)
  most('resident memory', end.rss, begin.rss * (1 + RSS_SHARE) + RSS_ALLOWANCE)
  most('external memory', end.external, begin.external + EXTERNAL_ALLOWANCE)
  // Pools of connections grow up to a bound of their own when many wait at once; each is a file, a socket and a timer.
  const grown = Math.max(0, end.backends - begin.backends) + Math.max(0, end.pooled - begin.pooled)
  most('idle connections upstream', end.pooled, MOST_POOLED)
  most('open files', end.files, begin.files + grown)
  most('requests open upstream', end.upstream, 0)
  most('Postgres backends', end.backends, MOST_BACKENDS)
  for (const [kind, count] of Object.entries(end.resources))
    most(`active ${kind}`, count, (begin.resources[kind] ?? 0) + grown)
  for (const [name, value] of Object.entries(end.gauges)) most(name, value, 0)
  return found
}

/** The figures of a moment in a line. */
export function describeFigures({
  heap,
  rss,
  external,
  files,
  resources,
  gauges,
  upstream,
  pooled,
  backends,
}: Figures): string {
  const mib = (bytes: number): string => (bytes / MIB).toFixed(2)
  const counts = (of: Readonly<Record<string, number>>): string =>
    Object.entries(of)
      .map(([name, count]) => `${name} ${count}`)
      .join(', ')
  return `heap ${mib(heap)} MiB, rss ${mib(rss)}, external ${mib(external)}; files ${files}; ${counts(resources)}; ${counts(gauges)}; upstream ${upstream}, pooled ${pooled}; backends ${backends}`
}
