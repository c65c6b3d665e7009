import { setTimeout as delay } from 'node:timers/promises'
import { Dice } from '../support/dice.ts'
import { ParleyProcess } from '../support/parley-process.ts'
import { TRANSPORTS } from '../support/transports.ts'
import { isAck } from './clients-journal.ts'
import type { Peer } from './clients-peer.ts'
import { judge, portOf, type Stage } from './clients-round.ts'
import { FaultSession } from './clients-session.ts'
import { Balancer } from './drain-balancer.ts'
import { IdleCrowd, watchReadiness } from './drain-watch.ts'
import { type Fault, type FaultOptions } from './fault.ts'
import { onBothTalks } from './talk.ts'

/** Deploys in all, on each transport: by turns in place and rolling. */
const DEPLOYS = { short: 2, full: 20 } as const
const [MIN_SESSIONS, MAX_SESSIONS] = [1, 3]
const [MIN_PEOPLE, MAX_PEOPLE] = [1, 3]
/** What each person does, at most: about a second of sends, stops, retries and cuts. */
const MAX_ACTIONS = 9
/** Milliseconds into a deploy until its signal: while things are sent, streamed and committed. */
const SIGNAL_WITHIN_MS = 500
/** An answer that is on when the signal comes, and longer than the drain: three seconds of words. */
const LONG = { words: 750, tokensPerSecond: 250 } as const
const WINDOW = { PARLEY_DRAIN: '2s', PARLEY_RECONNECT: '1s' }
/** Milliseconds for a stop to end the run of another process; far more than it takes, far less than the answer would. */
const STOP_MS = 1500
const SIGNALS = ['SIGTERM', 'SIGINT to the group'] as const

/** A deploy in the middle of everything. */
export const drain: Fault = {
  name: 'drain',
  title: 'SIGTERM and Ctrl-C under load, in place and as a rolling restart of two processes behind one port',
  run: (options: FaultOptions) =>
    onBothTalks(options, ({ part, env, nth }) => new Deploys({ ...env, ...WINDOW }, part, options, nth).play()),
}

/** One service on one transport: its processes follow one another on one store and behind one port. */
class Deploys {
  readonly #env: Readonly<Record<string, string>>
  readonly #part: Omit<Stage, 'server'>
  readonly #options: FaultOptions
  readonly #nth: number
  readonly #processes: ParleyProcess[] = []

  constructor(env: Readonly<Record<string, string>>, part: Omit<Stage, 'server'>, options: FaultOptions, nth: number) {
    this.#env = env
    this.#part = part
    this.#options = options
    this.#nth = nth
  }

  async play(): Promise<void> {
    const { transport, figures } = this.#part
    let current = await ParleyProcess.start(this.#env)
    this.#processes.push(current)
    const balancer = await Balancer.listen(portOf(current))
    try {
      const deploys = this.#options.count ?? DEPLOYS[this.#options.size]
      for (let deploy = 0; deploy < deploys; deploy++) {
        current = await this.#deploy(current, balancer, deploy)
        this.#options.say(`${transport}: deploy ${deploy + 1} of ${deploys}`)
      }
      const report = await current.command('check').catch((thrown: unknown) => String(thrown))
      figures.add('databases checked')
      if (!/^All \d+ invariants hold$/m.test(report)) figures.broken(transport, [`parley check: ${report}`])
    } finally {
      await balancer.close()
      // The first one last: it removes the data.
      for (const process of this.#processes.toReversed()) await process.dispose()
    }
  }

  /** The process after it. */
  async #deploy(old: ParleyProcess, balancer: Balancer, deploy: number): Promise<ParleyProcess> {
    const { transport, seed, figures, oracle } = this.#part
    const dice = new Dice(seed * 1_000_003 + deploy * TRANSPORTS.length + this.#nth)
    const rolling = deploy % 2 === 1
    const signal = dice.pick(SIGNALS)
    const where = `seed ${seed} deploy ${deploy} ${transport}, ${rolling ? 'rolling' : 'in place'}, ${signal}`
    const open = (name: string, people: number): Promise<FaultSession> =>
      FaultSession.open({ name, port: balancer.port, oracle, dice: dice.fork(), people })
    const sessions: FaultSession[] = []
    const count = MIN_SESSIONS + dice.below(MAX_SESSIONS - MIN_SESSIONS + 1)
    for (let nth = 0; nth < count; nth++)
      sessions.push(await open(`session ${nth}`, MIN_PEOPLE + dice.below(MAX_PEOPLE - MIN_PEOPLE + 1)))
    const long = await open('the long answer', 2)
    const idle = await IdleCrowd.gather(portOf(old))
    const next = rolling ? await old.beside() : old
    if (rolling) this.#processes.push(next)
    const actions = 1 + dice.below(MAX_ACTIONS)
    const acting = sessions.flatMap(({ people }) => people.map((person) => person.act(actions)))
    long.people[0]?.send(oracle.write(LONG), 'enqueue')
    await delay(dice.below(SIGNAL_WITHIN_MS))
    await long.peers[0]?.until(() => isOn(long.peers[0]), STOP_MS)
    if (rolling) balancer.direct(portOf(next))
    const readiness = watchReadiness(old.url)
    idle.watch()
    const exited = signal === 'SIGTERM' ? old.signal('SIGTERM') : old.signalGroup('SIGINT')
    if (rolling) figures.broken(where, await stopElsewhere(long))
    const code = await exited
    if (code !== 0) figures.broken(where, [`I12 exit code ${code}: ${old.said.slice(-3).join(' ')}`])
    figures.broken(where, await readiness)
    figures.broken(where, await idle.verdict())
    if (!rolling) await old.start()
    await Promise.all(acting)
    // Whoever saw runs of the old process from the new one stands before what was told of them: all come back to one place.
    if (rolling) for (const { peers } of [...sessions, long]) for (const peer of peers) peer.giveUp()
    await judge({ ...this.#part, server: next }, { where, sessions: [...sessions, long], restartsAfter: false })
    figures.add(rolling ? 'rolling restarts' : 'restarts in place')
    figures.add('idle clients asked back', idle.size)
    return next
  }
}

function isOn(peer: Peer | undefined): boolean {
  return peer?.view.standing.runId !== undefined
}

/** I4, P-63: someone comes back to the new process and stops what the old one has on. */
async function stopElsewhere(session: FaultSession): Promise<string[]> {
  const person = session.people[1]
  const peer = person?.peer
  if (person === undefined || peer === undefined) return []
  const before = peer.counts.readies
  peer.giveUp()
  if (!(await peer.until(() => peer.counts.readies > before && isOn(peer), STOP_MS)))
    return ['I4 no way into the new process']
  const answer = await person.interrupt()
  if (!isAck(answer) || answer.state !== 'cancelling') return [`I4 stop on the new process: ${JSON.stringify(answer)}`]
  const { runId } = answer
  const ended = (): boolean => peer.view.standing.lastRun?.runId === runId
  if (!(await peer.until(ended, STOP_MS))) return ['I4 a stop on the new process did not reach the old one']
  const { lastRun } = peer.view.standing
  return lastRun?.outcome === 'cancelled' ? [] : [`I4 a run that was stopped elsewhere ended as ${lastRun?.outcome}`]
}
