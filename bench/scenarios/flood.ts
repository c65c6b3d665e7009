import { setTimeout as sleep } from 'node:timers/promises'
import { type Contender, serverRssKib } from '../contenders/contender.ts'
import { APP_ID } from '../contenders/contender-parley.ts'
import { Latencies, median } from '../load/latencies.ts'
import type { GuessResult, KnockResult, WindowResult } from '../load/load-command.ts'
import type { Load } from '../rig/loads.ts'
import { probe, type Rig } from '../rig/rig.ts'
import { absolute, FROM_UPSTREAM, type Sample, type Scenario } from './scenario.ts'
import { seedKeys } from './seed-keys.ts'

const SESSIONS = 100
const TOKENS_PER_SECOND = 50
const SPREAD_MS = 1000
const WARM_UP_MS = 3000
const WINDOW_MS = 2000
/** Windows before the flood, and as many in it. */
const WINDOWS = 5
const FLOOD_SECONDS = (WINDOWS * WINDOW_MS) / 1000 + 2
const GUESSES_PER_SECOND = 500
/** Keys whose ids the attackers know, and keys that are used for the first time meanwhile. */
const [KNOWN, NEW] = [20, 100]
const LET_IN_MS = 2000
/** Most of one hash and of as many at once as the server allows by default, MiB; the rest is what sockets take. */
const [HASH_MIB, HASHES, SOCKETS_MIB] = [19, 2, 40]
const KIB_PER_MIB = 1024
const RSS_LOOK_MS = 50
const HEADERS_FROM_PROXIES = { PARLEY_TRUSTED_PROXIES: '127.0.0.0/8' }

const [MOST_P50, MOST_STALL, LEAST_SHARE, MOST_MIB] = [1.5, 2, 0.99, HASH_MIB * HASHES + SOCKETS_MIB]

type Window = WindowResult & { readonly stall: number }

/** Wrong keys, half of them with the id of a key that exists, beside people who read and people who come for the first time. */
export const flood: Scenario = {
  name: 'flood',
  title: `flood: ${GUESSES_PER_SECOND} wrong keys a second beside ${SESSIONS} sessions x ${TOKENS_PER_SECOND} tokens/s and ${NEW} new keys`,
  alone: true,
  latency: FROM_UPSTREAM,
  metrics: [
    { key: 'before', label: 'token latency p50 before, ms', digits: 2 },
    { key: 'p50', label: 'token latency p50 in the flood, ms', digits: 2 },
    { key: 'p50Ratio', label: 'in over before', digits: 2, goal: within(MOST_P50) },
    { key: 'stallBefore', label: 'longest loop stall before, ms', digits: 0 },
    { key: 'stall', label: 'longest loop stall in the flood, ms', digits: 0 },
    { key: 'stallRatio', label: 'in over before', digits: 2, goal: within(MOST_STALL) },
    {
      key: 'inTime',
      label: `share of new keys served within ${LET_IN_MS} ms`,
      digits: 3,
      goal: absolute(`>= ${LEAST_SHARE}`, (share) => share >= LEAST_SHARE),
    },
    { key: 'newP50', label: 'new keys served p50, ms', digits: 0 },
    { key: 'newMost', label: 'new keys served, the last, ms', digits: 0 },
    {
      key: 'memory',
      label: 'growth of memory, most, MiB',
      digits: 0,
      goal: absolute(`<= ${MOST_MIB}`, (mib) => mib <= MOST_MIB),
    },
    { key: 'guesses', label: 'wrong keys answered per second', digits: 0 },
    { key: 'refused', label: 'of known ids, refused as wrong per second', digits: 0 },
  ],
  measure: async (rig, start) => {
    const contender = await start({ upstreamUrl: rig.upstreamUrl, outDir: rig.outDir, env: HEADERS_FROM_PROXIES })
    const [people, attackers] = [rig.startLoad(), rig.startLoad()]
    attackers.giveWay()
    try {
      return await measure(rig, contender, people, attackers)
    } finally {
      await Promise.all([people.stop(), attackers.stop()])
      await contender.stop()
    }
  },
}

function within(times: number) {
  return absolute(`<= ${times}`, (ratio) => ratio <= times)
}

async function measure(rig: Rig, contender: Contender, people: Load, attackers: Load): Promise<Sample> {
  if (contender.store === undefined) throw new Error('nothing is stored')
  const { target } = contender
  const known = await seedKeys(contender.store, APP_ID, 'known', KNOWN)
  const fresh = await seedKeys(contender.store, APP_ID, 'fresh', NEW)
  const seconds = WARM_UP_MS / 1000 + FLOOD_SECONDS * 2 + 10
  await people.do({ do: 'open', target, count: SESSIONS })
  await people.do({ do: 'pace', rate: TOKENS_PER_SECOND, tokens: TOKENS_PER_SECOND * seconds, spreadMs: SPREAD_MS })
  await sleep(WARM_UP_MS)
  const before = await windows(contender, people)
  const memory = watchMemory(contender)
  const keyIds = known.map((key) => key.split('_')[2] ?? '')
  const guessed = attackers.do<GuessResult>({
    do: 'guess',
    target,
    keyIds,
    perSecond: GUESSES_PER_SECOND,
    seconds: FLOOD_SECONDS,
  })
  const knocked = attackers.do<KnockResult>({ do: 'knock', target, keys: fresh, spreadMs: WINDOWS * WINDOW_MS })
  const [during] = await rig.spentBy(contender, people, () => windows(contender, people))
  const [{ answers, skipped, seconds: flooded }, { times, lost, refused }] = await Promise.all([guessed, knocked])
  const grown = memory.stop()
  await people.do({ do: 'cancel' })
  const entered = Latencies.decode(times)
  const [p50Before, p50] = [before, during].map((all) => median(all.map(({ latency }) => latency.p50)))
  const [stallBefore, stall] = [before, during].map((all) => Math.max(...all.map((window) => window.stall)))
  const all = Object.values(answers).reduce((sum, count) => sum + count, 0)
  const values = {
    before: p50Before ?? Number.NaN,
    p50: p50 ?? Number.NaN,
    p50Ratio: (p50 ?? Number.NaN) / (p50Before ?? Number.NaN),
    stallBefore: stallBefore ?? Number.NaN,
    stall: stall ?? Number.NaN,
    stallRatio: (stall ?? Number.NaN) / (stallBefore ?? Number.NaN),
    inTime: entered.shareWithin(LET_IN_MS) * (entered.count / NEW),
    newP50: entered.at(0.5),
    newMost: entered.at(1),
    memory: grown,
    guesses: all / flooded,
    // One in 65,536 is hashed. The others are refused unread.
    refused: (answers['401 (known id)'] ?? 0) / flooded,
  }
  const told = Object.entries(answers).map(([answer, count]) => `${count} x ${answer}`)
  const notes = [
    `wrong keys were answered ${told.join(', ')}; new keys were sent away ${refused} times, ${lost} for good`,
  ]
  if (skipped > 0) notes.push(`${skipped} wrong keys were not sent: the server was slower than the flood`)
  return { values, notes }
}

async function windows(contender: Contender, people: Load): Promise<readonly Window[]> {
  const all: Window[] = []
  for (let nth = 0; nth < WINDOWS; nth++) {
    await people.window()
    await probe(contender, { do: 'reset' })
    await sleep(WINDOW_MS)
    all.push({ ...(await people.window()), stall: await probe(contender, { do: 'stall' }) })
  }
  return all
}

/** `stop` gives how many MiB the server's memory had grown at the most. */
function watchMemory(contender: Contender): { readonly stop: () => number } {
  const before = serverRssKib(contender)
  let most = before
  const timer = setInterval(() => {
    most = Math.max(most, serverRssKib(contender))
  }, RSS_LOOK_MS)
  const stop = (): number => {
    clearInterval(timer)
    return (most - before) / KIB_PER_MIB
  }
  return { stop }
}
