import { APP_ID } from '../contenders/contender-parley.ts'
import { Latencies } from '../load/latencies.ts'
import type { KnockResult } from '../load/load-command.ts'
import type { Options } from '../rig/options.ts'
import { probe } from '../rig/rig.ts'
import { absolute, type Scenario } from './scenario.ts'
import { seedKeys } from './seed-keys.ts'

/** Secret keys, each of another client. */
const KEYS = 5000

/** After a restart no key's verdict is in memory: all that come back are hashed, two at a time, and the rest is sent away until there is room. */
export function comeBack({ keys = KEYS }: Pick<Options, 'keys'>): Scenario {
  return {
    name: 'return',
    title: `return: ${keys} clients with a secret key each, all at once after a restart`,
    alone: true,
    latency: 'from the first try to session.ready',
    metrics: [
      { key: 'served', label: 'served', digits: 0, goal: absolute(`= ${keys}`, (served) => served === keys) },
      { key: 'seconds', label: 'time to all served, s', digits: 1 },
      { key: 'p50', label: 'half of them served within, s', digits: 1 },
      { key: 'rate', label: 'served per second', digits: 1 },
      { key: 'refused', label: 'tries that were sent away, per client', digits: 1 },
      { key: 'stall', label: 'longest loop stall, ms', digits: 0 },
    ],
    measure: async (rig, start) => {
      let contender = await start({ upstreamUrl: rig.upstreamUrl, outDir: rig.outDir })
      const load = rig.startLoad()
      try {
        if (contender.store === undefined) throw new Error('nothing is stored')
        const all = await seedKeys(contender.store, APP_ID, 'back', keys)
        contender = await contender.restart()
        const { target } = contender
        await probe(contender, { do: 'reset' })
        const [{ served, refused, seconds, times }] = await rig.spentBy(contender, load, () =>
          load.do<KnockResult>({ do: 'knock', target, keys: all, spreadMs: 0 }),
        )
        const stall = await probe(contender, { do: 'stall' })
        const p50 = Latencies.decode(times).at(0.5) / 1000
        return {
          values: { served, seconds, p50, rate: served / seconds, refused: refused / keys, stall },
          notes: [],
        }
      } finally {
        await load.stop()
        await contender.stop()
      }
    },
  }
}
