import { randomUUID } from 'node:crypto'
import { median } from '../load/latencies.ts'
import type { BurstResult } from '../load/load-command.ts'
import { absolute, type Scenario } from './scenario.ts'

const CLIENTS = 1000
/** Tokens of an answer, each an event of the log. */
const EVENTS = 500
const TOKENS_PER_SECOND = 250
const STORMS = 3
const GOAL_SECONDS = 2
const ENVIRONMENT = { PARLEY_CONNECTIONS_PER_SESSION: String(CLIENTS + 1) }
const PER_THOUSAND = 1000

/** P9: everyone comes back at once with a cursor from before an answer. R has nothing to resume. */
export const resume: Scenario = {
  name: 'resume',
  title: `P9 resume: a tail of ${EVENTS} events to ${CLIENTS} clients that come back at once`,
  alone: true,
  latency: 'from the moment when all come back to the whole tail',
  metrics: [
    {
      key: 'seconds',
      label: 'until all have all of it, s',
      digits: 2,
      goal: absolute(`<= ${GOAL_SECONDS}`, (seconds) => seconds <= GOAL_SECONDS),
    },
    { key: 'cpu', label: 'server CPU s per 1,000 clients', digits: 3 },
    { key: 'loadSide', label: 'load side, share of its core', digits: 2 },
  ],
  measure: async (rig, start) => {
    const contender = await start({ upstreamUrl: rig.upstreamUrl, outDir: rig.outDir, env: ENVIRONMENT })
    const load = rig.startLoad()
    try {
      const sessionId = randomUUID()
      const { target } = contender
      await load.do({ do: 'open', target, count: 1, sessionIds: [sessionId] })
      await load.do({ do: 'watch', rate: TOKENS_PER_SECOND, tokens: EVENTS })
      const cursor = await load.do<string>({ do: 'cursor' })
      const storms: { readonly seconds: number; readonly cpu: number; readonly loadSide: number }[] = []
      for (let nth = 0; nth < STORMS; nth++) {
        const [{ seconds }, spent] = await rig.spentBy(contender, load, () =>
          load.do<BurstResult>({ do: 'resume', target, sessionId, cursor, count: CLIENTS, tokens: EVENTS }),
        )
        storms.push({ seconds, cpu: (spent.server / CLIENTS) * PER_THOUSAND, loadSide: spent.loadSide / spent.wall })
      }
      const values = {
        seconds: median(storms.map(({ seconds }) => seconds)),
        cpu: median(storms.map(({ cpu }) => cpu)),
        loadSide: median(storms.map(({ loadSide }) => loadSide)),
      }
      return { values, notes: [] }
    } finally {
      await load.stop()
      await contender.stop()
    }
  },
}
