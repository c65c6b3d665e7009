import { setTimeout as sleep } from 'node:timers/promises'
import type { Contender } from '../contenders/contender.ts'
import type { WindowResult } from '../load/load-command.ts'
import type { Load } from '../rig/loads.ts'
import { probe, type Rig } from '../rig/rig.ts'
import { atMost, atMostPlus, FROM_UPSTREAM, measuring, type Sample, type Scenario } from './scenario.ts'
import { watchStore } from './stored.ts'
import { middleOf, type Spell, undisturbed, windowsToUse } from './windows.ts'

export const TOKENS_PER_SECOND = 50

/** How much of it; times in ms. */
export type PacedSize = {
  readonly sessions: number
  readonly warmUpMs: number
  readonly windowMs: number
  readonly windows: number
  /** After so many, what there is must do. */
  readonly mostWindows: number
}

const WHOLE: PacedSize = { sessions: 200, warmUpMs: 5000, windowMs: 3000, windows: 5, mostWindows: 12 }
const SHORT: PacedSize = { sessions: 100, warmUpMs: 3000, windowMs: 2000, windows: 3, mostWindows: 3 }
/** Starts are spread over a second, so that tokens do not all come in the same moment. */
const SPREAD_MS = 1000
const MILLION = 1e6

type Window = WindowResult & Spell & { readonly stall: number }

/** P2: the everyday load. */
export const paced: Scenario = pacedAt(WHOLE, `P2 paced: ${WHOLE.sessions} sessions x ${TOKENS_PER_SECOND} tokens/s`)

/** Seconds of it, for the guard. */
export const shortPaced: Scenario = pacedAt(SHORT, 'paced, in short')

function pacedAt(size: PacedSize, title: string): Scenario {
  return {
    name: 'paced',
    title,
    latency: FROM_UPSTREAM,
    metrics: [
      { key: 'cpu', label: 'server CPU s per million tokens', digits: 1, goal: atMost(0.9) },
      { key: 'p50', label: 'latency p50, ms', digits: 2, goal: atMostPlus(0.3, 'ms') },
      { key: 'p99', label: 'latency p99, ms', digits: 2, goal: atMost(1) },
      { key: 'stall', label: 'longest loop stall, ms', digits: 0 },
      { key: 'database', label: 'Postgres CPU s per million tokens', digits: 1 },
      { key: 'loadSide', label: 'load side, share of its core', digits: 2 },
      { key: 'clean', label: 'undisturbed windows', digits: 0 },
    ],
    measure: (rig, start) => measuring(rig, start, (contender, load) => windowsOf(rig, contender, load, size)),
  }
}

export async function windowsOf(rig: Rig, contender: Contender, load: Load, size: PacedSize): Promise<Sample> {
  const { sessions, warmUpMs, windowMs, mostWindows } = size
  const checkStored = await watchStore(contender)
  await load.do({ do: 'open', target: contender.target, count: sessions })
  const seconds = (warmUpMs + SPREAD_MS + windowMs * (mostWindows + 2)) / 1000
  await load.do({ do: 'pace', rate: TOKENS_PER_SECOND, tokens: TOKENS_PER_SECOND * seconds, spreadMs: SPREAD_MS })
  await sleep(warmUpMs)
  const windows: Window[] = []
  while (windows.length < mostWindows && windows.filter(undisturbed).length < size.windows) {
    await load.window()
    await probe(contender, { do: 'reset' })
    const [, spent] = await rig.spentBy(contender, load, () => sleep(windowMs))
    const result = await load.window()
    windows.push({ ...result, spent, stall: await probe(contender, { do: 'stall' }) })
  }
  await load.do({ do: 'cancel' })
  await checkStored(sessions)
  return summary(windows, size)
}

function summary(all: readonly Window[], { sessions, windows: enough }: PacedSize): Sample {
  const { windows, clean, notes } = windowsToUse(all, enough)
  // A server that fell far behind may have nothing more to say in a window: of none there is no figure.
  const spoken = windows.filter(({ latency }) => latency.count > 0)
  const values = {
    cpu: middleOf(spoken, ({ spent, tokens }) => (spent.server / tokens) * MILLION),
    p50: middleOf(spoken, ({ latency }) => latency.p50),
    p99: middleOf(spoken, ({ latency }) => latency.p99),
    stall: Math.max(...windows.map(({ stall }) => stall)),
    database: middleOf(spoken, ({ spent, tokens }) => (spent.database / tokens) * MILLION),
    loadSide: middleOf(spoken, ({ spent }) => spent.loadSide / spent.wall),
    clean,
    kept: middleOf(spoken, ({ spent, tokens }) => (tokens / (sessions * TOKENS_PER_SECOND * spent.wall)) * 100),
    sessions,
  }
  const silent =
    spoken.length === 0 ? ['no token came while it was measured: it fell behind, the machine is too busy'] : []
  return { values, notes: [...silent, ...notes] }
}
