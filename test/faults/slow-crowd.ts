import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Stage } from './both-transports.ts'
import { LongAnswer, type SlowModel } from './slow-model.ts'
import { type Habit, SlowReader } from './slow-reader.ts'
import { within } from './watched-server.ts'

/** Milliseconds for what takes seconds on a machine that has nothing else to do. */
const PATIENCE_MS = 60_000
/** As many for the long answers, which take 90 s by the model's clock. */
const ANSWER_MS = 180_000
const TICK_MS = 1000
/** PARLEY_DEAD_AFTER and PARLEY_PING_INTERVAL of the fault, the sweep, the 5 s of a closing socket, and the noise of the machine. */
const CUT_WITHIN_MS = 30_000
const SLOW = { code: 4503, reason: 'slow_consumer' } as const
const HABITS = ['nothing', 'sips'] as const
/** Handshakes of one client before the fault says that it cannot get in. */
const MAX_TRIES = 3
const HEX = 16
const WAVE = 100

export type CrowdSize = {
  /** Clients with a session of their own. */
  readonly own: number
  /** Sessions that are watched, each by one who reads and by `watchers` who do not. */
  readonly sessions: number
  readonly watchers: number
  /** Those of all watchers that never read again before they were cut. */
  readonly nevers: number
}

/** Clients of long answers: some alone, many together, slow or not. */
export class Crowd {
  readonly #stage: Stage
  readonly #answers: LongAnswer[] = []
  /** One of each session asks. */
  readonly #askers: SlowReader[] = []
  readonly #readers: SlowReader[] = []
  readonly #ticker: NodeJS.Timeout
  #closedBefore = 0

  constructor(stage: Stage, model: SlowModel, name: string, { own, sessions, watchers, nevers }: CrowdSize) {
    this.#stage = stage
    const { port } = stage.server
    const isCalm = watchers === 0
    for (let nth = 0; nth < own + sessions; nth++) {
      const session = randomUUID()
      const answer = model.add(`${name}${nth}`)
      const join = (habit: Habit): void => void this.#readers.push(new SlowReader(port, session, answer, habit))
      this.#answers.push(answer)
      join(isCalm || nth >= own ? 'all' : (HABITS[nth % HABITS.length] ?? 'nothing'))
      this.#askers.push(...this.#readers.slice(-1))
      if (nth < own) continue
      for (let seat = 0; seat < watchers; seat++)
        join(seat < nevers / sessions ? 'never' : (HABITS[seat % HABITS.length] ?? 'nothing'))
    }
    this.#ticker = setInterval(() => {
      for (const reader of this.#readers) reader.tick()
    }, TICK_MS)
  }

  get slow(): number {
    return this.#slow.length
  }

  get #slow(): readonly SlowReader[] {
    return this.#readers.filter(({ habit }) => habit !== 'all')
  }

  /** All come, and each session's answer begins. */
  async gather(): Promise<void> {
    this.#closedBefore = await this.#slowCloses()
    await Promise.all(this.#readers.map((reader) => reader.connect()))
    await this.#until('was not let in', this.#readers, ({ ready }) => ready)
    for (const reader of this.#slow) reader.stall()
    for (const asker of this.#askers) asker.ask()
  }

  /** Until the answers are out, all but their last words, and all who read have them. */
  async listen(): Promise<void> {
    await within(ANSWER_MS, () => this.#answers.every(({ isPoured }) => isPoured))
    const readers = this.#readers.filter(({ habit }) => habit === 'all')
    await this.#until('did not get what it could read', readers, ({ has, answer }) => has >= answer.poured)
  }

  /** They read again: each is told that it was too slow, and comes back. */
  async wake(): Promise<void> {
    const { notes } = this.#stage
    const nevers = this.#slow.filter(({ habit }) => habit === 'never')
    const others = this.#slow.filter(({ habit }) => habit !== 'never')
    const untold = await this.#wakeInWaves(others)
    const told = others.length - untold
    notes.add('slow clients told 4503 slow_consumer, of those that read again', `${told} of ${others.length}`)
    const counted = (await this.#slowCloses()) - this.#closedBefore
    notes.add('slow closes in /metrics', counted)
    // One that never reads is closed as dead, unless so much comes between two looks that its outbox is full before.
    const most = others.length + nevers.length
    if (counted < told || counted > most)
      notes.broken(`/metrics counts ${counted} slow closes, ${told} were seen, ${most} are possible`)
    for (const wave of waves(others)) await this.#comeBack(wave)
    await this.#cut(nevers)
    await this.#comeBack(nevers)
  }

  /** Gives how many saw no close frame. */
  async #wakeInWaves(readers: readonly SlowReader[]): Promise<number> {
    const { notes } = this.#stage
    let [woken, untold, early] = [0, 0, 0]
    for (const wave of waves(readers)) {
      // Who was closed before may have been cut already: it read nothing, or little, for longer than a closing socket is given.
      const closed = (await this.#slowCloses()) - this.#closedBefore - woken
      for (const reader of wave) reader.wake()
      await this.#until('was neither told that it is slow nor cut', wave, ({ ending }) => ending !== undefined)
      const cut = wave.filter(({ ending }) => ending?.code !== SLOW.code || ending.reason !== SLOW.reason)
      if (cut.length > closed) notes.broken(`${cut.length} of ${wave.length} were not told why: ${saidOf(cut)}`)
      woken += wave.length
      untold += cut.length
      early = Math.max(early, closed)
    }
    notes.add('closed before they read again, at most', early)
    return untold
  }

  /** The answers end; everyone has all of theirs, once. */
  async endWhole(): Promise<void> {
    const { notes } = this.#stage
    for (const answer of this.#answers) answer.end()
    await this.#until('did not get all', this.#readers, ({ has, answer, ended }) => ended && has === answer.text.length)
    clearInterval(this.#ticker)
    for (const fault of new Set(this.#readers.flatMap(({ faults }) => faults))) notes.broken(fault)
    const lacking = this.#readers.filter(({ has, answer }) => has !== answer.text.length)
    const [one] = lacking
    if (one !== undefined)
      notes.broken(`${lacking.length} lack something: the first has ${one.has} of ${one.answer.text.length} characters`)
    for (const reader of this.#readers) reader.leave()
    const deltas = this.#slow.map((reader) => reader.deltas).sort((a, b) => a - b)
    const most = deltas.at(-1)
    if (most === undefined) return
    notes.add(
      'slow clients with all of their answers, once',
      this.#slow.filter(({ faults }) => faults.length === 0).length,
    )
    notes.add(`deltas that a slow client was told, at most (the model said ${LongAnswer.pieces})`, most)
    if (most >= LongAnswer.pieces) notes.broken(`a slow client was told ${most} deltas: nothing was merged`)
  }

  /** With its cursor, as clients do. */
  async #comeBack(readers: readonly SlowReader[]): Promise<void> {
    const { notes } = this.#stage
    for (let tries = 0, left = readers; left.length > 0 && tries < MAX_TRIES; tries++) {
      const refused = left.map(({ refusals }) => refusals.length)
      await Promise.all(left.map((reader) => reader.connect()))
      left = left.filter(({ refusals }, index) => refusals.length > (refused[index] ?? 0))
    }
    const refusals = readers.flatMap((reader) => reader.refusals)
    if (refusals.length > 0)
      notes.broken(`${refusals.length} handshakes were refused: ${[...new Set(refusals)].join(', ')}`)
    for (const reader of readers) reader.wake()
    await this.#until('did not get what was said so far', readers, ({ has, answer }) => has >= answer.poured)
  }

  /** Whoever never reads and gives no sign of life is cut by the server, told or not. */
  async #cut(nevers: readonly SlowReader[]): Promise<void> {
    const { server, notes } = this.#stage
    const ports = new Set(nevers.map(({ localPort }) => localPort))
    let left = held(server.port, ports)
    await within(CUT_WITHIN_MS, () => {
      left = held(server.port, ports)
      return left === 0
    })
    notes.add('clients that never read, cut by the server', `${nevers.length - left} of ${nevers.length}`)
    if (left > 0) notes.broken(`${left} that never read hold their sockets after ${CUT_WITHIN_MS} ms`)
    for (const reader of nevers) reader.wake()
    await this.#until('was cut and does not see it', nevers, ({ ending }) => ending !== undefined)
  }

  async #until(fault: string, readers: readonly SlowReader[], holds: (reader: SlowReader) => boolean): Promise<void> {
    if (await within(PATIENCE_MS, () => readers.every((reader) => holds(reader) || reader.faults.length > 0))) return
    const late = readers.filter((reader) => !holds(reader))
    const [one] = late
    this.#stage.notes.broken(
      `${late.length} of ${readers.length}: ${fault} (the first reads ${one?.habit}, has ${one?.has}, ${saidOf(late)})`,
    )
  }

  #slowCloses(): Promise<number> {
    return this.#stage.server.metric('connections_closed_total', `"${SLOW.code}"`)
  }
}

/** As many at a time as this process can read for and still say that the others live. */
function waves(readers: readonly SlowReader[]): readonly (readonly SlowReader[])[] {
  const count = Math.ceil(readers.length / WAVE)
  return Array.from({ length: count }, (_, nth) => readers.slice(nth * WAVE, (nth + 1) * WAVE))
}

function saidOf(readers: readonly SlowReader[]): string {
  const said = readers.map(({ ending, habit }) =>
    ending === undefined ? 'open' : `${habit} ${ending.code ?? 'cut'} ${ending.reason}`,
  )
  return [...new Set(said)].map((each) => `${said.filter((other) => other === each).length} ${each}`).join(', ')
}

/** Sockets that a process still holds for these peers; those that it has closed are the kernel's, without an inode. */
function held(serverPort: number, peers: ReadonlySet<number>): number {
  const lines = readFileSync('/proc/net/tcp', 'utf8').split('\n').slice(1)
  return lines.filter((line) => {
    const [, local = '', remote = '', , , , , , , inode = '0'] = line.trim().split(/\s+/)
    return portOf(local) === serverPort && peers.has(portOf(remote)) && inode !== '0'
  }).length
}

function portOf(address: string): number {
  return Number.parseInt(address.slice(address.indexOf(':') + 1), HEX)
}
