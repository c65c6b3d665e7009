import { setTimeout as sleep } from 'node:timers/promises'
import type { Contender } from '../contenders/contender.ts'
import { median } from '../load/latencies.ts'
import type { Target } from '../load/line.ts'
import type { Load } from '../rig/loads.ts'
import type { Rig } from '../rig/rig.ts'
import { absolute, measuring, type Sample, type Scenario } from './scenario.ts'

/** Handshakes of one part, and pairs of parts; the parts of a pair follow each other, so that a change of the machine's mood falls on both. */
const PART = 500
const PAIRS = 12
/** Pairs that are not measured: the key's verdict is in memory then, the code is compiled. */
const WARM_UP_PAIRS = 2
/** For what a part leaves behind: closed sockets. */
const SETTLE_MS = 300
const GOAL = 0.9

type Part = { readonly rate: number; readonly cpu: number }

/** What knowing who somebody is costs once it is known: the same server with a key that was seen before, and without any. */
export const keys: Scenario = {
  name: 'keys',
  title: `keys: handshakes with a key whose verdict is in memory, and without a key, in turns of ${PART}`,
  alone: true,
  latency: 'from connecting to session.ready, 100 under way at a time',
  metrics: [
    { key: 'keyed', label: 'with a key, handshakes per second', digits: 0 },
    { key: 'bare', label: 'without a key, handshakes per second', digits: 0 },
    {
      key: 'ratio',
      label: 'with over without, median of pairs',
      digits: 2,
      goal: absolute(`>= ${GOAL}`, (ratio) => ratio >= GOAL),
    },
    { key: 'cpu', label: 'server CPU s per 1,000, with a key', digits: 3 },
    { key: 'bareCpu', label: 'server CPU s per 1,000, without', digits: 3 },
  ],
  measure: (rig, start) => measuring(rig, start, (contender, load) => pairs(rig, contender, load)),
}

async function pairs(rig: Rig, contender: Contender, load: Load): Promise<Sample> {
  const { target } = contender
  const keyless: Target = { ...target, path: '/ws?app=default', headers: {} }
  const measured: (readonly [keyed: Part, bare: Part])[] = []
  for (let pair = 0; pair < WARM_UP_PAIRS + PAIRS; pair++) {
    // Who comes first changes: the first of a pair meets a server that is a little colder.
    const first = pair % 2 === 0 ? target : keyless
    const one = await part(rig, contender, load, first)
    const other = await part(rig, contender, load, first === target ? keyless : target)
    if (pair >= WARM_UP_PAIRS) measured.push(first === target ? [one, other] : [other, one])
  }
  const values = {
    keyed: median(measured.map(([{ rate }]) => rate)),
    bare: median(measured.map(([, { rate }]) => rate)),
    ratio: median(measured.map(([keyed, bare]) => keyed.rate / bare.rate)),
    cpu: median(measured.map(([{ cpu }]) => cpu)),
    bareCpu: median(measured.map(([, { cpu }]) => cpu)),
  }
  return { values, notes: [] }
}

async function part(rig: Rig, contender: Contender, load: Load, target: Target): Promise<Part> {
  const [, { wall, server }] = await rig.spentBy(contender, load, () =>
    load.do({ do: 'open', target, count: PART, timed: true }),
  )
  await load.do({ do: 'leave' })
  await sleep(SETTLE_MS)
  return { rate: PART / wall, cpu: (server / PART) * 1000 }
}
