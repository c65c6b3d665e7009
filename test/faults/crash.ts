import { setTimeout as delay } from 'node:timers/promises'
import { Dice } from '../support/dice.ts'
import { ParleyProcess } from '../support/parley-process.ts'
import { TRANSPORTS } from '../support/transports.ts'
import { judge, portOf, type Stage } from './clients-round.ts'
import { FaultSession } from './clients-session.ts'
import { type Fault, type FaultOptions } from './fault.ts'
import { onBothTalks } from './talk.ts'

/** Kills in all. */
const CYCLES = { short: 10, full: 200 } as const
const [MIN_SESSIONS, MAX_SESSIONS] = [1, 3]
const [MIN_PEOPLE, MAX_PEOPLE] = [1, 3]
/** What each person does, at most: about a second of sends, stops, retries and cuts. */
const MAX_ACTIONS = 9
/** Milliseconds into a cycle until the kill: while things are sent, streamed, committed, and in calls of tools. */
const KILL_WITHIN_MS = 1600
/** An answer that is on all the while: two seconds of words. */
const LONG = { words: 500, tokensPerSecond: 250 } as const
/** Seconds of text that a kill may take: the interval of checkpoints, and what a sweep and a flush on a busy machine add. */
const MAX_LOST_SECONDS = 1 + 0.75

/** kill -9 in the middle of everything, on the same store, again and again. */
export const crash: Fault = {
  name: 'crash',
  title: 'kill -9 while messages are sent, answers streamed, tools called and rows committed',
  run: (options: FaultOptions) =>
    onBothTalks(options, async ({ part, env, nth }) => {
      const server = await ParleyProcess.start(env)
      try {
        await play({ ...part, server }, options, nth)
      } finally {
        await server.dispose()
      }
    }),
}

async function play(stage: Stage, { size, count, say }: FaultOptions, nth: number): Promise<void> {
  const cycles = count ?? CYCLES[size]
  for (let cycle = nth; cycle < cycles; cycle += TRANSPORTS.length) {
    await playCycle(stage, cycle)
    if (cycle % 20 === nth) say(`${stage.transport}: cycle ${cycle} of ${cycles}`)
  }
  const report = await stage.server.command('check').catch((thrown: unknown) => String(thrown))
  stage.figures.add('databases checked')
  if (!/^All \d+ invariants hold$/m.test(report)) stage.figures.broken(stage.transport, [`parley check: ${report}`])
}

async function playCycle(stage: Stage, cycle: number): Promise<void> {
  const { server, figures, oracle, transport, seed } = stage
  const where = `seed ${seed} cycle ${cycle} ${transport}`
  const dice = new Dice(seed * 1_000_003 + cycle)
  const open = (name: string, people: number): Promise<FaultSession> =>
    FaultSession.open({ name, port: portOf(server), oracle, dice: dice.fork(), people })
  const sessions: FaultSession[] = []
  const count = MIN_SESSIONS + dice.below(MAX_SESSIONS - MIN_SESSIONS + 1)
  for (let nth = 0; nth < count; nth++)
    sessions.push(await open(`session ${nth}`, MIN_PEOPLE + dice.below(MAX_PEOPLE - MIN_PEOPLE + 1)))
  const long = await open('the long answer', 1)
  long.people[0]?.send(oracle.write(LONG), 'enqueue')
  const actions = 1 + dice.below(MAX_ACTIONS)
  const acting = sessions.flatMap(({ people }) => people.map((person) => person.act(actions)))
  await delay(dice.below(KILL_WITHIN_MS))
  await server.kill()
  const seen = answerIn(long)
  const on = [...sessions, long].filter(({ peers }) => peers.some(({ view }) => view.standing.status === 'processing'))
  figures.add('kills')
  figures.add('runs on at a kill', on.length)
  await server.start()
  await Promise.all(acting)
  await judge(stage, { where, sessions: [...sessions, long], restartsAfter: false })
  const lost = wordsOf(seen.content) - wordsOf(keptOf(long, seen.id))
  figures.most('words of a streaming answer lost by a kill, at most', lost)
  if (lost > LONG.tokensPerSecond * MAX_LOST_SECONDS)
    figures.broken(where, [`I3 ${lost} words that were seen are gone: more than ${MAX_LOST_SECONDS} s of the answer`])
}

/** The newest answer that its one reader was shown. */
function answerIn({ peers }: FaultSession): { readonly id: string; readonly content: string } {
  return peers[0]?.view.lines.findLast(({ role }) => role === 'assistant') ?? { id: '', content: '' }
}

function keptOf({ peers }: FaultSession, id: string): string {
  return peers[0]?.view.lines.find((line) => line.id === id)?.content ?? ''
}

function wordsOf(text: string): number {
  return text.split(' ').filter((word) => word !== '').length
}
