import { randomUUID } from 'node:crypto'
import type { Contender, Start } from '../contenders/contender.ts'
import type { Peer } from '../contenders/peer-list.ts'
import type { Load } from '../rig/loads.ts'
import type { Rig } from '../rig/rig.ts'
import { MOST_P99_MS, mostSessions } from './capacity.ts'
import { bursts, type FullSize } from './full.ts'
import { type IdleSize, slope } from './idle.ts'
import { type PacedSize, TOKENS_PER_SECOND, windowsOf } from './paced.ts'
import { type Metric, measuring, type Sample } from './scenario.ts'
import { type StopSize, stopsOf } from './stop.ts'

/** One that any of the list can be put through. */
export type PeerScenario = {
  readonly name: string
  readonly title: string
  /** A metric with `ratio` is shown beside R's as well. */
  readonly metrics: readonly (Metric & { readonly ratio?: boolean })[]
  /** Who takes part. */
  readonly takes: (peer: Peer) => boolean
  /** Not in `--quick`, unless named. */
  readonly long?: boolean
  readonly measure: (rig: Rig, start: Start, peer: Peer) => Promise<Sample>
}

type Sizes = {
  readonly full: FullSize
  readonly paced: PacedSize
  readonly stop: StopSize
  readonly connections: IdleSize
}

const SESSIONS = 200

/** Of servers that are up to 30 times slower than R. */
const WHOLE: Sizes = {
  full: { connections: 50, tokens: 2000, warmUps: 1, repeats: 3, enoughSeconds: 4 },
  paced: { sessions: SESSIONS, warmUpMs: 4000, windowMs: 3000, windows: 4, mostWindows: 4 },
  stop: { sessions: SESSIONS, warmUpSeconds: 2, windowSeconds: 4, windows: 2, enough: 2, settleMs: 2000 },
  connections: { few: 1000, many: 6000, settleMs: 2000, readings: 3 },
}
/** Two minutes in all, so that someone has a look. */
const QUICK: Sizes = {
  full: { connections: 50, tokens: 400, warmUps: 1, repeats: 3, enoughSeconds: 1 },
  paced: { sessions: 100, warmUpMs: 1500, windowMs: 1500, windows: 1, mostWindows: 1 },
  stop: { sessions: 100, warmUpSeconds: 0, windowSeconds: 2, windows: 1, enough: 1, settleMs: 500 },
  connections: { few: 500, many: 2000, settleMs: 500, readings: 2 },
}

const everyone = (): boolean => true
/** A peer that cannot carry the others' sessions is asked for its own. */
const sessionsOf = (peer: Peer, sessions: number): number => Math.min(sessions, peer.paced ?? sessions)

export function peerScenarios(quick: boolean): readonly PeerScenario[] {
  const sizes = quick ? QUICK : WHOLE
  return [fullOf(sizes.full), pacedOf(sizes.paced), stopOf(sizes.stop), connectionsOf(sizes.connections), capacity]
}

function fullOf(size: FullSize): PeerScenario {
  return {
    name: 'full',
    title: `Full speed: ${size.connections} connections x ${size.tokens} tokens, as fast as the server reads; fewer tokens where it takes minutes`,
    metrics: [
      { key: 'cpu', label: 'CPU s per M tokens', digits: 1, ratio: true },
      { key: 'rate', label: 'tokens/s per core', digits: 0, ratio: true },
      { key: 'stall', label: 'longest stall, ms', digits: 0 },
      { key: 'loadSide', label: 'load side', digits: 2 },
    ],
    takes: everyone,
    measure: (rig, start, peer) => {
      const tokens = Math.min(size.tokens, peer.tokens ?? size.tokens)
      return measuring(rig, start, (contender, load) =>
        bursts(rig, contender, load, { apart: false, size: { ...size, tokens } }),
      )
    },
  }
}

function pacedOf(size: PacedSize): PeerScenario {
  return {
    name: 'paced',
    title: `Paced: ${size.sessions} sessions x ${TOKENS_PER_SECOND} tokens/s, fewer where a peer cannot carry them`,
    metrics: [
      { key: 'sessions', label: 'sessions', digits: 0 },
      { key: 'cpu', label: 'CPU s per M tokens', digits: 0, ratio: true },
      { key: 'p50', label: 'p50, ms', digits: 1, ratio: true },
      { key: 'p99', label: 'p99, ms', digits: 0, ratio: true },
      { key: 'kept', label: '% of the rate', digits: 0 },
    ],
    takes: everyone,
    measure: (rig, start, peer) =>
      measuring(rig, start, (contender, load) =>
        windowsOf(rig, contender, load, { ...size, sessions: sessionsOf(peer, size.sessions) }),
      ),
  }
}

function stopOf(size: StopSize): PeerScenario {
  return {
    name: 'stop',
    title: `Stop: ${size.sessions} sessions x ${TOKENS_PER_SECOND} tokens/s, stopped every 2 s or so; until the upstream is aborted`,
    metrics: [
      { key: 'sessions', label: 'sessions', digits: 0 },
      { key: 'p50', label: 'p50, ms', digits: 1, ratio: true },
      { key: 'p99', label: 'p99, ms', digits: 0, ratio: true },
      { key: 'aborted', label: 'aborted, %', digits: 1 },
      { key: 'after', label: 'tokens after the ack', digits: 0 },
      { key: 'stops', label: 'stops', digits: 0 },
    ],
    takes: everyone,
    measure: (rig, start, peer) =>
      measuring(rig, start, (contender, load) => stopsBy(rig, contender, load, peer, size)),
  }
}

async function stopsBy(rig: Rig, contender: Contender, load: Load, peer: Peer, size: StopSize): Promise<Sample> {
  const sessions = sessionsOf(peer, size.sessions)
  const { values, notes } = await stopsOf(rig, contender, load, { ...size, sessions })
  // Whoever stops by closing the connection gets no acknowledgement, and can get nothing after it.
  const after = peer.connected ? values.after : Number.NaN
  return { values: { ...values, after: after ?? Number.NaN, sessions }, notes }
}

function connectionsOf(size: IdleSize): PeerScenario {
  return {
    name: 'connections',
    title: `Connections: from ${size.few} to ${size.many} that are idle; only where a client keeps one between answers`,
    metrics: [
      { key: 'slope', label: 'RSS of one, KiB', digits: 2 },
      { key: 'heap', label: 'live heap of one, KiB', digits: 2 },
      { key: 'cpu', label: 'CPU s per 1,000 handshakes', digits: 3, ratio: true },
    ],
    takes: ({ connected }) => connected,
    long: true,
    measure: (rig, start) =>
      measuring(rig, start, async (contender, load) => {
        const sessionIds = Array.from({ length: size.many }, () => randomUUID())
        const warmUp = rig.startLoad()
        try {
          await warmUp.do({ do: 'open', target: contender.target, count: size.many, sessionIds })
        } finally {
          await warmUp.stop()
        }
        return slope(rig, contender, load, sessionIds, size)
      }),
  }
}

const capacity: PeerScenario = {
  name: 'capacity',
  title: `P3 capacity: the most sessions x ${TOKENS_PER_SECOND} tokens/s with a p99 below ${MOST_P99_MS} ms`,
  metrics: [
    { key: 'sessions', label: 'sessions', digits: 0, ratio: true },
    { key: 'loadSide', label: 'load side at the first that failed', digits: 2 },
  ],
  takes: everyone,
  long: true,
  measure: (rig, start, peer) => mostSessions(rig, start, peer.carries),
}
