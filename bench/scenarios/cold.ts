import { randomUUID } from 'node:crypto'
import type { Store } from '../contenders/contender.ts'
import { APP_ID } from '../contenders/contender-parley.ts'
import { Latencies, type LatencySummary } from '../load/latencies.ts'
import { absolute, type Scenario } from './scenario.ts'
import { seedSessions } from './seed.ts'

const SESSIONS = 500
/** Beside them, so that code is compiled and the key's verdict in memory. */
const WARM_UP = 200
const MESSAGES = 200
const MESSAGE_BYTES = 256
const GOAL = 5
const MICROSECONDS_PER_MS = 1000

/** P9: sessions that are in Postgres only. R has none. */
export const cold: Scenario = {
  name: 'cold',
  title: `P9 cold: ${SESSIONS} sessions of ${MESSAGES} messages from Postgres, one after the other, to session.ready`,
  alone: true,
  latency: 'from connecting to session.ready, one after the other',
  metrics: [
    { key: 'p50', label: 'connect to session.ready p50, ms', digits: 2 },
    { key: 'p99', label: 'connect to session.ready p99, ms', digits: 2 },
    { key: 'select', label: "one SELECT's round trip p50, ms", digits: 2 },
    { key: 'selectP99', label: "one SELECT's round trip p99, ms", digits: 2 },
    {
      key: 'share',
      label: "p99 over one SELECT's p99",
      digits: 2,
      goal: absolute(`<= ${GOAL}`, (share) => share <= GOAL),
    },
  ],
  measure: async (rig, start) => {
    const sessionIds = Array.from({ length: WARM_UP + SESSIONS }, () => randomUUID())
    let contender = await start({ upstreamUrl: rig.upstreamUrl, outDir: rig.outDir })
    const load = rig.startLoad()
    try {
      if (contender.store === undefined) throw new Error('nothing is stored')
      await seedSessions(contender.store, { app: APP_ID, sessionIds, messages: MESSAGES, messageBytes: MESSAGE_BYTES })
      contender = await contender.restart()
      const enter = (ids: readonly string[]): Promise<LatencySummary> =>
        load.do({ do: 'enter', target: contender.target, sessionIds: ids })
      await enter(sessionIds.slice(0, WARM_UP))
      const [{ p50, p99 }] = await rig.spentBy(contender, load, () => enter(sessionIds.slice(WARM_UP)))
      const select = contender.store === undefined ? undefined : await selects(contender.store)
      const values = {
        p50,
        p99,
        ...(select && { select: select.p50, selectP99: select.p99, share: p99 / select.p99 }),
      }
      return { values, notes: [] }
    } finally {
      await load.stop()
      await contender.stop()
    }
  },
}

/** The least that any read of that database takes from this machine: a session's row by its id. */
async function selects(store: Store): Promise<LatencySummary> {
  const sql = store.connect()
  const times = new Latencies()
  try {
    const ids = await sql<{ id: string }[]>`select id from sessions limit ${WARM_UP + SESSIONS}`
    for (const [nth, { id }] of ids.entries()) {
      const start = performance.now()
      await sql`select * from sessions where id = ${id}`
      if (nth >= WARM_UP) times.add((performance.now() - start) * MICROSECONDS_PER_MS)
    }
    return times.summary()
  } finally {
    await sql.end()
  }
}
