import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Contender, serverRssKib } from '../contenders/contender.ts'
import { APP_ID, TRANSPORT } from '../contenders/contender-parley.ts'
import type { Load } from '../rig/loads.ts'
import { probe, type Rig } from '../rig/rig.ts'
import { absolute, type Sample, type Scenario } from './scenario.ts'
import { seedSessions } from './seed.ts'

/**
 * A process grows to its working size once (compiled code, pools, the young generation, what malloc keeps): all connections
 * are opened and closed again before anything is measured. Between the counts then lies the slope.
 */
export type IdleSize = {
  readonly few: number
  readonly many: number
  /** Before each reading. */
  readonly settleMs: number
  /** The lowest counts. */
  readonly readings: number
}

/**
 * Long enough for histories to leave memory (below) and for pages to be given back: V8 gives the room of young objects, 63 MiB,
 * back some seconds after a load.
 */
const WHOLE: IdleSize = { few: 3000, many: 12_000, settleMs: 6000, readings: 3 }
const MESSAGES = 50
const MESSAGE_BYTES = 1024
const GOAL_KIB = TRANSPORT === 'ws' ? 8 : 2.5
const BYTES_PER_KIB = 1024
/**
 * What is idle for 20 minutes loses its history; nobody waits 20 minutes here. The memory of histories has its own bound
 * and is no part of what a connection costs.
 */
const ENVIRONMENT = { PARLEY_HISTORY_IDLE: '1s', PARLEY_HISTORY_MEMORY: '4MiB' }

/** P4: what one more idle, authenticated connection costs in the server's memory. */
export const idle: Scenario = {
  name: 'idle',
  title: `P4 idle: RSS from ${WHOLE.few} to ${WHOLE.many} connections, each on a session of ${MESSAGES} messages of ${MESSAGE_BYTES} B`,
  latency: 'from connecting to session.ready, 100 under way at a time',
  metrics: [
    {
      key: 'slope',
      label: 'RSS per idle connection, KiB',
      digits: 2,
      goal: absolute(`<= ${GOAL_KIB}`, (kib) => kib <= GOAL_KIB),
    },
    { key: 'heap', label: 'live heap per idle connection, KiB', digits: 2 },
    { key: 'few', label: `RSS at ${WHOLE.few} connections, MiB`, digits: 1 },
    { key: 'many', label: `RSS at ${WHOLE.many} connections, MiB`, digits: 1 },
    { key: 'cpu', label: 'server CPU s per 1,000 handshakes', digits: 3 },
  ],
  measure: async (rig, start) => {
    const sessionIds = Array.from({ length: WHOLE.many }, () => randomUUID())
    let contender = await start({ upstreamUrl: rig.upstreamUrl, outDir: rig.outDir, env: ENVIRONMENT })
    const load = rig.startLoad()
    const warmUp = rig.startLoad()
    try {
      if (contender.store) {
        await seedSessions(contender.store, {
          app: APP_ID,
          sessionIds,
          messages: MESSAGES,
          messageBytes: MESSAGE_BYTES,
        })
        // The sessions come from the store, not from the memory of the process that wrote them.
        contender = await contender.restart()
      }
      await warmUp.do({ do: 'open', target: contender.target, count: WHOLE.many, sessionIds })
      await warmUp.stop()
      return await slope(rig, contender, load, sessionIds, WHOLE)
    } finally {
      await load.stop()
      await contender.stop()
    }
  },
}

export async function slope(
  rig: Rig,
  contender: Contender,
  load: Load,
  sessionIds: readonly string[],
  { few: least, many: most, settleMs, readings: enough }: IdleSize,
): Promise<Sample> {
  const open = (from: number, to: number): Promise<unknown> =>
    load.do({
      do: 'open',
      target: contender.target,
      count: to - from,
      sessionIds: sessionIds.slice(from, to),
      timed: true,
    })
  const memory = async (): Promise<{ readonly rss: number; readonly heap: number }> => {
    const readings: { readonly rss: number; readonly heap: number }[] = []
    while (readings.length < enough) {
      await sleep(settleMs)
      const heap = await probe(contender, { do: 'collect' })
      readings.push({ rss: serverRssKib(contender), heap: heap / BYTES_PER_KIB })
    }
    return { rss: Math.min(...readings.map(({ rss }) => rss)), heap: Math.min(...readings.map(({ heap }) => heap)) }
  }
  await open(0, least)
  const few = await memory()
  const [, spent] = await rig.spentBy(contender, load, () => open(least, most))
  const many = await memory()
  const values = {
    slope: (many.rss - few.rss) / (most - least),
    heap: (many.heap - few.heap) / (most - least),
    few: few.rss / BYTES_PER_KIB,
    many: many.rss / BYTES_PER_KIB,
    cpu: (spent.server / (most - least)) * 1000,
  }
  return { values, notes: [] }
}
