import { performance } from 'node:perf_hooks'
import { absolute, atMost, measuring, type Scenario } from './scenario.ts'

/** What comes at once: as many as a load side of one address and the usual limit of open files allow. */
const STORM = 10_000
/** Before it: the key's verdict is in memory, the code is compiled. */
const WARM_UP = 6000
const PER_THOUSAND = 1000

/** P5: a storm of clients with a key that was seen before, each on a session of its own. */
export const connect: Scenario = {
  name: 'connect',
  title: `P5 connect: ${STORM} handshakes, 100 under way at a time`,
  latency: 'from connecting to session.ready (of R: to the 101), 100 under way at a time',
  metrics: [
    { key: 'cpu', label: 'server CPU s per 1,000 handshakes', digits: 3, goal: atMost(2) },
    { key: 'served', label: 'served', digits: 0, goal: absolute(`= ${STORM}`, (served) => served === STORM) },
    { key: 'rate', label: 'handshakes per second', digits: 0 },
    { key: 'loadSide', label: 'load side, share of its core', digits: 2 },
  ],
  measure: (rig, start) =>
    measuring(rig, start, async (contender, load) => {
      const { target } = contender
      const before = await load.do<number>({ do: 'open', target, count: WARM_UP, timed: true })
      const started = performance.now()
      const [opened, spent] = await rig.spentBy(contender, load, () =>
        load.do<number>({ do: 'open', target, count: STORM, timed: true }),
      )
      const seconds = (performance.now() - started) / 1000
      const served = opened - before
      const values = {
        cpu: (spent.server / served) * PER_THOUSAND,
        served,
        rate: served / seconds,
        loadSide: spent.loadSide / spent.wall,
      }
      return { values, notes: [] }
    }),
}
