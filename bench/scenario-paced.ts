import { setTimeout as sleep } from 'node:timers/promises'
import { median } from './latencies.ts'
import type { WindowResult } from './load.ts'
import { probe, type Spent } from './rig.ts'
import { atMost, atMostPlus, measuring, type Scenario } from './scenario.ts'
import { watchStore } from './stored.ts'

const SESSIONS = 200
const TOKENS_PER_SECOND = 50
const WARM_UP_MS = 5000
const WINDOW_MS = 3000
const WINDOWS = 5
/** A window counts when others took at most this many cores; after so many windows, what there is must do. */
const OTHERS_CORES = 0.12
const MOST_WINDOWS = 12
/** Starts are spread over a second, so that tokens do not all come in the same moment. */
const SPREAD_MS = 1000
const MILLION = 1e6

type Window = WindowResult & { readonly spent: Spent; readonly stall: number }

/** P2: the everyday load. */
export const paced: Scenario = {
  name: 'paced',
  title: `P2 paced: ${SESSIONS} sessions x ${TOKENS_PER_SECOND} tokens/s`,
  metrics: [
    { key: 'cpu', label: 'server CPU s per million tokens', digits: 1, goal: atMost(0.9) },
    { key: 'p50', label: 'latency p50, ms', digits: 2, goal: atMostPlus(0.3, 'ms') },
    { key: 'p99', label: 'latency p99, ms', digits: 2, goal: atMost(1) },
    { key: 'stall', label: 'longest loop stall, ms', digits: 0 },
    { key: 'database', label: 'Postgres CPU s per million tokens', digits: 1 },
    { key: 'loadSide', label: 'load side, share of its core', digits: 2 },
    { key: 'clean', label: 'undisturbed windows', digits: 0 },
  ],
  measure: (rig, start) =>
    measuring(rig, start, async (contender, load) => {
      const checkStored = await watchStore(contender)
      await load.do({ do: 'open', target: contender.target, count: SESSIONS })
      const seconds = (WARM_UP_MS + SPREAD_MS + WINDOW_MS * (MOST_WINDOWS + 2)) / 1000
      await load.do({ do: 'pace', rate: TOKENS_PER_SECOND, tokens: TOKENS_PER_SECOND * seconds, spreadMs: SPREAD_MS })
      await sleep(WARM_UP_MS)
      const windows: Window[] = []
      while (windows.length < MOST_WINDOWS && windows.filter(undisturbed).length < WINDOWS) {
        await load.do({ do: 'window' })
        await probe(contender, { do: 'reset' })
        const [, spent] = await rig.spentBy(contender, load, () => sleep(WINDOW_MS))
        const result = await load.do<WindowResult>({ do: 'window' })
        windows.push({ ...result, spent, stall: await probe(contender, { do: 'stall' }) })
      }
      await load.do({ do: 'cancel' })
      await checkStored(SESSIONS)
      return summary(windows)
    }),
}

function undisturbed({ spent }: Window): boolean {
  return spent.others / spent.wall <= OTHERS_CORES
}

function summary(all: readonly Window[]): { values: Readonly<Record<string, number>>; notes: string[] } {
  const clean = all.filter(undisturbed)
  const windows = clean.length >= WINDOWS ? clean : all
  const middle = (value: (window: Window) => number): number => median(windows.map(value))
  const values = {
    cpu: middle(({ spent, tokens }) => (spent.server / tokens) * MILLION),
    p50: middle(({ latency }) => latency.p50),
    p99: middle(({ latency }) => latency.p99),
    stall: Math.max(...windows.map(({ stall }) => stall)),
    database: middle(({ spent, tokens }) => (spent.database / tokens) * MILLION),
    loadSide: middle(({ spent }) => spent.loadSide / spent.wall),
    clean: clean.length,
  }
  const disturbed =
    clean.length < WINDOWS ? [`only ${clean.length} of ${all.length} windows undisturbed: all used`] : []
  return { values, notes: disturbed }
}
