import { setTimeout as delay } from 'node:timers/promises'
import { Dice } from '../support/dice.ts'
import type { ParleyProcess } from '../support/parley-process.ts'
import type { Figures } from './clients-figures.ts'
import type { Oracle } from './clients-script.ts'
import { FaultSession } from './clients-session.ts'

const [MIN_SESSIONS, MAX_SESSIONS] = [2, 3]
const [MIN_PEOPLE, MAX_PEOPLE] = [3, 6]
/** What each person does in a round, at most. */
const MAX_ACTIONS = 9
/** Of the rounds: a restart in their middle, and one when all is at rest. */
const [RESTARTS, RESTARTS_AFTER] = [0.3, 0.2]
/** Milliseconds into a round until its restart: sends, runs and cuts are on. */
const RESTART_WITHIN_MS = 400
/** The tabs of one person. */
const TABS = 20
/** An answer of about a second, so that each tab is cut several times in it. */
const [TAB_WORDS, TAB_RATE] = [300, 250]
const MS_PER_SECOND = 1000

export type Stage = {
  readonly server: ParleyProcess
  readonly transport: string
  readonly oracle: Oracle
  readonly seed: number
  readonly figures: Figures
}

/** One round of the model test: people of several sessions do what people do, on lines that break. */
export async function playRound(stage: Stage, round: number): Promise<void> {
  const { server, figures, oracle, transport, seed } = stage
  const where = `seed ${seed} round ${round} ${transport}`
  const dice = new Dice(seed * 1_000_003 + round)
  const sessions: FaultSession[] = []
  const count = MIN_SESSIONS + dice.below(MAX_SESSIONS - MIN_SESSIONS + 1)
  for (let nth = 0; nth < count; nth++) {
    const people = MIN_PEOPLE + dice.below(MAX_PEOPLE - MIN_PEOPLE + 1)
    sessions.push(
      await FaultSession.open({ name: `session ${nth}`, port: portOf(server), oracle, dice: dice.fork(), people }),
    )
  }
  const actions = 1 + dice.below(MAX_ACTIONS)
  const restarts = dice.chance(RESTARTS)
  const pause = dice.below(RESTART_WITHIN_MS)
  await Promise.all([
    ...sessions.flatMap(({ people }) => people.map((person) => person.act(actions))),
    restarts ? delay(pause).then(() => restart(stage)) : undefined,
  ])
  await judge(stage, { where, sessions, restartsAfter: dice.chance(RESTARTS_AFTER) })
  figures.add('rounds')
}

/** One session in many tabs, all of which lose their connections during one answer. */
export async function playTabs(stage: Stage): Promise<void> {
  const { server, oracle, transport, seed } = stage
  const session = await FaultSession.open({
    name: 'the session',
    port: portOf(server),
    oracle,
    dice: new Dice(seed),
    people: TABS,
  })
  const [first] = session.people
  first?.send(oracle.write({ words: TAB_WORDS, tokensPerSecond: TAB_RATE }), 'enqueue')
  const answerMs = (TAB_WORDS / TAB_RATE) * MS_PER_SECOND
  await Promise.all(session.people.map((person) => person.stumble(answerMs)))
  await judge(stage, { where: `seed ${seed} ${TABS} tabs ${transport}`, sessions: [session], restartsAfter: false })
  stage.figures.add('tabs that agree', TABS)
}

type Judged = { readonly where: string; readonly sessions: readonly FaultSession[]; readonly restartsAfter: boolean }

/** Waits until all is at rest, then holds what everyone saw against the script and their own acknowledgements. */
export async function judge(stage: Stage, { where, sessions, restartsAfter }: Judged): Promise<void> {
  const { figures } = stage
  for (const rest of await Promise.all(sessions.map((session) => session.rest()))) figures.broken(where, rest)
  const verdicts = await Promise.all(sessions.map((session) => session.verdict()))
  for (const { violations } of verdicts) figures.broken(where, violations)
  for (const session of sessions) figures.of(session)
  await Promise.all(sessions.map((session) => session.close()))
  if (!restartsAfter) return
  await restart(stage)
  const after = sessions.map((session, nth) => session.afterRestart(verdicts[nth]?.final ?? []))
  for (const violations of await Promise.all(after)) figures.broken(where, violations)
}

async function restart({ server, figures }: Stage): Promise<void> {
  await server.stop()
  await server.start()
  figures.add('restarts')
}

export function portOf(server: ParleyProcess): number {
  return Number(new URL(server.url).port)
}
