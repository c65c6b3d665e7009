import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Contender } from '../contenders/contender.ts'
import { Latencies, median } from '../load/latencies.ts'
import type { ChatsResult, PollResult } from '../load/load-command.ts'
import type { Load } from '../rig/loads.ts'
import type { Rig } from '../rig/rig.ts'
import { absolute, measuring, type Sample, type Scenario } from './scenario.ts'

const SESSIONS = 1000
const POLLS_PER_SECOND = 2
/** Of each running answer: it goes on, and most polls bring something new. */
const TOKENS_PER_SECOND = 1
const SPREAD_MS = 3000
const SETTLE_MS = 2000
/** Pairs of a part without polls and one with them. */
const PAIRS = 4
const PART_SECONDS = 5
/** The first pair warms up. */
const WARM_UP_PAIRS = 1
const CHATS = 400
const WARM_UP_CHATS = 100
const [MOST_CORE, MOST_MS] = [0.25, 5]

/** What Aomi's clients cost, who poll, beside those who are told. */
export const aomi: Scenario = {
  name: 'aomi',
  title: `aomi: ${SESSIONS} sessions with an answer on, each polled ${POLLS_PER_SECOND} times a second, and chats by HTTP and WebSocket in turns`,
  alone: true,
  latency: 'of a poll, from when it was due',
  metrics: [
    { key: 'without', label: 'server without polls, share of its core', digits: 3 },
    { key: 'with', label: 'server with polls, share of its core', digits: 3 },
    {
      key: 'more',
      label: 'polls, share of a core',
      digits: 3,
      goal: absolute(`< ${MOST_CORE}`, (share) => share < MOST_CORE),
    },
    { key: 'pollP50', label: 'a poll p50, ms', digits: 2 },
    { key: 'pollP99', label: 'a poll p99, ms', digits: 1 },
    { key: 'unchanged', label: 'polls answered 304, %', digits: 0 },
    { key: 'postP50', label: 'POST /api/chat to the first byte p50, ms', digits: 2 },
    { key: 'postP99', label: 'POST /api/chat to the first byte p99, ms', digits: 1 },
    { key: 'sendP99', label: 'message.send to the ack p99, ms', digits: 1 },
    {
      key: 'added',
      label: 'p99 added, ms',
      digits: 1,
      goal: absolute(`< ${MOST_MS}`, (ms) => ms < MOST_MS),
    },
  ],
  measure: (rig, start) =>
    measuring(rig, start, async (contender, load) => {
      const chats = await chatsOf(contender, load)
      await load.do({ do: 'leave' })
      const polls = await pollsOf(rig, contender, load)
      return { values: { ...polls, ...chats }, notes: [] } satisfies Sample
    }),
}

async function chatsOf({ target }: Contender, load: Load): Promise<Record<string, number>> {
  const sessionId = randomUUID()
  await load.do({ do: 'open', target, count: 1, sessionIds: [sessionId] })
  await load.do({ do: 'chats', target, sessionId, count: WARM_UP_CHATS })
  const { posts, sends } = await load.do<ChatsResult>({ do: 'chats', target, sessionId, count: CHATS })
  const [post, send] = [Latencies.decode(posts).summary(), Latencies.decode(sends).summary()]
  return { postP50: post.p50, postP99: post.p99, sendP99: send.p99, added: post.p99 - send.p99 }
}

async function pollsOf(rig: Rig, contender: Contender, load: Load): Promise<Record<string, number>> {
  const { target } = contender
  const sessionIds = Array.from({ length: SESSIONS }, () => randomUUID())
  await load.do({ do: 'open', target, count: SESSIONS, sessionIds })
  const tokens = TOKENS_PER_SECOND * 60 * 5
  await load.do({ do: 'pace', rate: TOKENS_PER_SECOND, tokens, spreadMs: SPREAD_MS })
  await sleep(SETTLE_MS)
  const [without, withPolls]: [number[], number[]] = [[], []]
  const times = new Latencies()
  let [polls, unchanged] = [0, 0]
  for (let pair = 0; pair < WARM_UP_PAIRS + PAIRS; pair += 1) {
    const [, quiet] = await rig.spentBy(contender, load, () => sleep(PART_SECONDS * 1000))
    const [result, busy] = await rig.spentBy(contender, load, () =>
      load.do<PollResult>({ do: 'poll', target, sessionIds, perSecond: POLLS_PER_SECOND, seconds: PART_SECONDS }),
    )
    if (pair < WARM_UP_PAIRS) continue
    without.push(quiet.server / quiet.wall)
    withPolls.push(busy.server / busy.wall)
    times.merge(Latencies.decode(result.times))
    polls += result.polls
    unchanged += result.unchanged
  }
  await load.do({ do: 'cancel' })
  const { p50, p99 } = times.summary()
  const [quiet, busy] = [median(without), median(withPolls)]
  const share = (unchanged / polls) * 100
  return { without: quiet, with: busy, more: busy - quiet, pollP50: p50, pollP99: p99, unchanged: share }
}
