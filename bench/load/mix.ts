import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { nowMicros } from './clock.ts'
import type { Crowd } from './crowd.ts'
import { Latencies } from './latencies.ts'
import type { Mix, MixResult } from './load-command.ts'
import { type Plan, type PlannedRun, planMix } from './mix-plan.ts'
import { LoadSession } from './session.ts'

const MICROS_PER_MS = 1000
/** How often a person looks at how far an answer has come, in ms. */
const LOOK_MS = 5

/**
 * People by a plan. Whatever the server does, they come when they were to come, and what they wait for is counted from the moment
 * that was planned: a server that stalls makes everyone late who would have come meanwhile, and each of them is measured.
 */
export class Mixing {
  readonly #crowd: Crowd
  readonly #mix: Mix
  readonly #start = nowMicros()
  readonly #connects = new Latencies()
  readonly #backs = new Latencies()
  readonly #lateness = new Latencies()
  readonly #did = { runs: 0, tokens: 0, stopped: 0, cut: 0, tools: 0 }
  #present = 0
  #mostAtOnce = 0
  #serial = 0

  constructor(crowd: Crowd, mix: Mix) {
    this.#crowd = crowd
    this.#mix = mix
  }

  /** Resolves when the last one has gone; `orFault` ends it before when something is wrong. */
  async play(): Promise<MixResult> {
    const crowd = this.#crowd
    crowd.firsts.clear()
    crowd.stops.clear()
    crowd.tokensAfterAck = 0
    const plans = planMix(this.#mix)
    await crowd.orFault(Promise.all(plans.map((plan) => this.#visit(plan))))
    return {
      people: plans.length,
      mostAtOnce: this.#mostAtOnce,
      ...this.#did,
      tokensAfterAck: crowd.tokensAfterAck,
      connects: this.#connects.encode(),
      firsts: crowd.firsts.encode(),
      stops: crowd.stops.encode(),
      backs: this.#backs.encode(),
      lateness: this.#lateness.encode(),
    }
  }

  async #visit({ arrival, runs }: Plan): Promise<void> {
    const crowd = this.#crowd
    const { target } = this.#mix
    const planned = this.#start + arrival * MICROS_PER_MS
    await this.#until(planned)
    const session = await LoadSession.open(target, randomUUID(), crowd.nextPlace(target), crowd.sink)
    this.#connects.add(nowMicros() - planned)
    crowd.came()
    this.#present += 1
    this.#mostAtOnce = Math.max(this.#mostAtOnce, this.#present)
    let ready = nowMicros()
    for (const run of runs) {
      const ask = ready + run.think * MICROS_PER_MS
      await this.#until(ask)
      await this.#ask(session, run, ask)
      ready = nowMicros()
    }
    session.leave()
    this.#present -= 1
  }

  async #ask(session: LoadSession, run: PlannedRun, planned: number): Promise<void> {
    const { tokens, tool, stopAt, cutAt, away } = run
    const order = { tokens, rate: this.#mix.rate, apart: false, tool, tag: `mix${process.pid}-${++this.#serial}` }
    const ended = session.run(order, planned)
    const progress = { over: false }
    const over = (async () => {
      await ended
      progress.over = true
    })()
    if (stopAt !== undefined && (await reached(session, stopAt, progress))) session.stop()
    if (cutAt !== undefined && (await reached(session, cutAt, progress))) await this.#away(session, away)
    const { tokens: got, toolResults, stopped } = await ended
    await over
    if (!stopped && got !== tokens) throw new Error(`an answer of ${tokens} tokens ended after ${got}`)
    if (toolResults !== (tool ? 1 : 0))
      throw new Error(`${toolResults} results of tools, ${tool ? 'one' : 'none'} asked for`)
    this.#did.runs += 1
    this.#did.tokens += got
    if (stopped) this.#did.stopped += 1
    if (tool) this.#did.tools += 1
  }

  /** Loses the line in the middle of an answer, comes back and reads on from where it was. */
  async #away(session: LoadSession, ms: number): Promise<void> {
    session.leave()
    await sleep(ms)
    const start = nowMicros()
    await session.back(this.#crowd.nextPlace(this.#mix.target))
    this.#backs.add(nowMicros() - start)
    this.#did.cut += 1
  }

  async #until(planned: number): Promise<void> {
    const wait = (planned - nowMicros()) / MICROS_PER_MS
    if (wait > 0) await sleep(wait)
    this.#lateness.add(nowMicros() - planned)
  }
}

/** False when the answer ended before: the last look found less, and then came the rest at once. */
async function reached(session: LoadSession, point: number, progress: { readonly over: boolean }): Promise<boolean> {
  while (!progress.over && session.tokens < point) await sleep(LOOK_MS)
  return !progress.over
}
