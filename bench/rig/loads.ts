import type { ChildProcess } from 'node:child_process'
import { availableParallelism, constants, setPriority } from 'node:os'
import { pidOf } from '../contenders/contender.ts'
import type { Counted } from '../load/crowd.ts'
import { Latencies } from '../load/latencies.ts'
import { type LoadCommand, partOf } from '../load/load-command.ts'
import { type Answered, addUp } from './merge.ts'
import { OTHER_CORE, stopProcess } from './processes.ts'
import { call } from './rpc.ts'

/** The core of one of several load processes: the first shares the upstream's where there is no other, and alone. */
export function loadCore(nth: number, loaders: number, cores: number = availableParallelism()): number {
  if (loaders === 1 || cores <= 2) return OTHER_CORE
  return OTHER_CORE + ((nth + 1) % (cores - 1))
}

/** The load side of a measurement: one process, or several that share every command. */
export class Load {
  readonly #children: readonly ChildProcess[]

  constructor(children: readonly ChildProcess[]) {
    this.#children = children
  }

  get pids(): readonly number[] {
    return this.#children.map(pidOf)
  }

  /** It gets the core when nobody else wants it: what it sends must not delay what another load measures. */
  giveWay(): void {
    for (const pid of this.pids) setPriority(pid, constants.priority.PRIORITY_LOW)
  }

  /** The processes' answers as one. */
  async do<Result extends Answered>(command: LoadCommand): Promise<Result> {
    const parts = this.#children.flatMap((child, nth) => {
      const part = partOf(command, nth, this.#children.length)
      return part === undefined ? [] : [{ child, part }]
    })
    const [leader, ...others] = parts
    // Whoever reads what another asks for has to listen before that one asks: commands are begun in their order.
    const followers = others.map(({ child, part }) => call<Result>(child, part))
    if (command.do === 'watch' || command.do === 'watch on')
      await Promise.all(others.map(({ child }) => call(child, { do: 'cursor' })))
    const first = leader === undefined ? [] : [call<Result>(leader.child, leader.part)]
    return merged(await Promise.all([...first, ...followers]))
  }

  /** Latencies and counts since the last time of asking. */
  async window(): Promise<{ readonly tokens: number; readonly latency: ReturnType<Latencies['summary']> }> {
    const { tokens, latencies } = await this.do<Counted>({ do: 'window' })
    return { tokens, latency: Latencies.decode(latencies).summary() }
  }

  async stop(): Promise<void> {
    await Promise.all(this.#children.map(stopProcess))
  }
}

/** Answers of one kind: their sum is of that kind, too. */
function merged<Result extends Answered>(answers: readonly Result[]): Result {
  const [first] = answers
  if (first !== undefined && answers.length === 1) return first
  const sum: unknown = addUp(answers)
  return JSON.parse(JSON.stringify(sum))
}
