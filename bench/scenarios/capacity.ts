import { setTimeout as sleep } from 'node:timers/promises'
import type { Contender, Start } from '../contenders/contender.ts'
import type { LatencySummary } from '../load/latencies.ts'
import type { Load } from '../rig/loads.ts'
import type { Rig } from '../rig/rig.ts'
import { TOKENS_PER_SECOND } from './paced.ts'
import type { Sample } from './scenario.ts'

/** A session that is carried gets its tokens at this p99, in ms, and at the rate of the model. */
export const MOST_P99_MS = 50
const LEAST_KEPT = 0.95
/** Levels closer than this to each other are one. */
const CLOSE = 1.12
const GROWTH = 2
/** A search that gets there ends: more answers at once Parley asks of no provider, nor lets an App have by itself. */
export const MOST_SESSIONS = 1000
const SPREAD_MS = 1000
/** A process that is colder spends a good part of its core on compiling. */
const WARM_UP_MS = 6000
const WINDOW_MS = 2500
/** A neighbour's burst must not end the search: the best of so many windows counts. */
const WINDOWS = 2
/** Above it the load side may be what fails. */
const LOAD_SIDE_FULL = 0.8

type Level = {
  readonly held: boolean
  /** Shares of their cores. */
  readonly server: number
  readonly loadSide: number
  readonly latency: LatencySummary | undefined
  /** A session got something else than its tokens, once and in order. */
  readonly fault?: string
}

/** The next level to try: double until one fails, then between; undefined when it is known well enough. */
export function nextLevel(first: number, held: readonly number[], failed: readonly number[]): number | undefined {
  const low = Math.max(0, ...held)
  const high = Math.min(...failed)
  if (low >= MOST_SESSIONS || high <= 1) return undefined
  if (low === 0 && high === Number.POSITIVE_INFINITY) return first
  if (low === 0) return Math.max(1, Math.floor(high / GROWTH))
  if (high === Number.POSITIVE_INFINITY) return Math.min(MOST_SESSIONS, low * GROWTH)
  const between = Math.round(Math.sqrt(low * high))
  return high / low <= CLOSE || between === low || between === high ? undefined : between
}

/** The most sessions at 50 tokens/s that the server carries. Each level is on a process of its own: no backlog is handed on. */
export async function mostSessions(rig: Rig, start: Start, first: number): Promise<Sample> {
  const held: number[] = []
  const failed: number[] = []
  const tried: string[] = []
  let loadSide = 0
  for (let level = nextLevel(first, held, failed); level !== undefined; level = nextLevel(first, held, failed)) {
    const outcome = await tryLevel(rig, start, level)
    if (outcome.held) held.push(level)
    else failed.push(level)
    tried.push(`${level}: ${described(outcome)}`)
    loadSide = outcome.held ? loadSide : outcome.loadSide
  }
  const full = loadSide > LOAD_SIDE_FULL ? [`the load side took ${loadSide.toFixed(2)} of its core: a lower bound`] : []
  return { values: { sessions: Math.max(0, ...held), loadSide }, notes: [`tried ${tried.join(', ')}`, ...full] }
}

function described({ fault, server, loadSide, latency }: Level): string {
  if (fault !== undefined) return fault
  const cores = `server ${server.toFixed(2)}, load ${loadSide.toFixed(2)}`
  return latency ? `p99 ${latency.p99.toFixed(0)} ms (${cores})` : 'no token'
}

async function tryLevel(rig: Rig, start: Start, sessions: number): Promise<Level> {
  const contender = await start({ upstreamUrl: rig.upstreamUrl, outDir: rig.outDir })
  const load = rig.startLoad()
  try {
    return await carry(rig, contender, load, sessions)
  } catch (error) {
    const [line] = (error instanceof Error ? error.message : String(error)).split('\n')
    return { held: false, server: 0, loadSide: 0, latency: undefined, fault: `BROKE: ${line}` }
  } finally {
    await load.stop()
    await contender.stop()
  }
}

async function carry(rig: Rig, contender: Contender, load: Load, sessions: number): Promise<Level> {
  await load.do({ do: 'open', target: contender.target, count: sessions })
  const seconds = (SPREAD_MS + WARM_UP_MS + WINDOWS * WINDOW_MS) / 1000 + 10
  await load.do({ do: 'pace', rate: TOKENS_PER_SECOND, tokens: TOKENS_PER_SECOND * seconds, spreadMs: SPREAD_MS })
  await sleep(WARM_UP_MS)
  let best: Level = { held: false, server: 0, loadSide: 0, latency: undefined }
  for (let window = 0; window < WINDOWS && !best.held; window += 1) {
    await load.window()
    const [, spent] = await rig.spentBy(contender, load, () => sleep(WINDOW_MS))
    const { tokens, latency } = await load.window()
    const kept = tokens / (sessions * TOKENS_PER_SECOND * spent.wall)
    const held = latency.count > 0 && latency.p99 < MOST_P99_MS && kept >= LEAST_KEPT
    if (best.latency === undefined || held || latency.p99 < best.latency.p99)
      best = {
        held,
        server: spent.server / spent.wall,
        loadSide: spent.loadSide / spent.wall,
        latency: latency.count > 0 ? latency : undefined,
      }
  }
  return best
}
