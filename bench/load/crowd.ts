import { randomUUID } from 'node:crypto'
import { Latencies } from './latencies.ts'
import type { Target } from './line.ts'
import { LoadSession, type Sink } from './session.ts'
import type { Place } from './socket.ts'

/** What came in a part of a measurement; latencies as `Latencies.encode` writes them. */
export type Counted = {
  readonly tokens: number
  readonly opened: number
  readonly errors: number
  readonly latencies: string
}

/** Handshakes under way at once. */
const OPENING = 100
/** Connections per local address, below the kernel's usual range of 28,000 ports. */
const PER_ADDRESS = 20_000
/** Ports are named: with thousands taken, the kernel's search for a free one costs more than the handshake. */
const FIRST_PORT = 10_000
/** A block of loopback addresses of this process's own: ports that an earlier one left in TIME_WAIT are not met again. */
const ADDRESS_BLOCK = process.pid % 250
/** How often work under way is looked at for a fault. */
const FAULT_LOOK_MS = 20

/** The sessions of a load process, and what they have counted. */
export class Crowd {
  sessions: LoadSession[] = []
  tokensAfterAck = 0
  /** From asking, to the first token and to the end after a stop. */
  readonly firsts = new Latencies()
  readonly stops = new Latencies()
  fault: Error | undefined
  /** Since someone last asked: one counter for each token, whoever asks. */
  readonly #now = new Counter()
  readonly #sinceTick = new Counter()
  readonly #sinceWindow = new Counter()
  #places = 0

  readonly sink: Sink = {
    token: (latency) => {
      this.#now.tokens += 1
      if (latency > 0) this.#now.latencies.add(latency)
    },
    first: (latency) => this.firsts.add(latency),
    stopped: (latency) => this.stops.add(latency),
    tokenAfterAck: () => {
      this.tokensAfterAck += 1
    },
    fault: (error) => {
      this.#now.errors += 1
      this.fault ??= error
    },
  }

  /** One more handshake. */
  came(): void {
    this.#now.opened += 1
  }

  /** What is measured where no token is: until a session is ready, until a tail is whole. */
  took(micros: number): void {
    this.#now.latencies.add(micros)
  }

  /** No place serves twice: the kernel keeps what has ended for a while. None where addresses are not ours to choose. */
  nextPlace({ host }: Target): Place | undefined {
    if (host !== undefined && !host.startsWith('127.')) return undefined
    const nth = this.#places++
    const localAddress = `127.0.${ADDRESS_BLOCK}.${2 + Math.floor(nth / PER_ADDRESS)}`
    return { localAddress, localPort: FIRST_PORT + (nth % PER_ADDRESS) }
  }

  /** Gives how many sessions there are now. */
  async open(target: Target, count: number, ids: readonly string[], timed: boolean): Promise<number> {
    for (let from = 0; from < count; from += OPENING) {
      const batch = Array.from({ length: Math.min(OPENING, count - from) }, (_, offset) => ids[from + offset])
      this.sessions.push(...(await Promise.all(batch.map((id) => this.#enter(target, id ?? randomUUID(), timed)))))
    }
    return this.sessions.length
  }

  async #enter(target: Target, id: string, timed: boolean): Promise<LoadSession> {
    const start = performance.now()
    const session = await LoadSession.open(target, id, this.nextPlace(target), this.sink)
    this.came()
    if (timed) this.took((performance.now() - start) * 1000)
    return session
  }

  /** A fault anywhere ends the measurement: numbers of a broken run mean nothing. */
  async orFault<Result>(work: Promise<Result>): Promise<Result> {
    let watch: NodeJS.Timeout | undefined
    const faulty = new Promise<never>((_, reject) => {
      watch = setInterval(() => this.fault && reject(this.fault), FAULT_LOOK_MS)
    })
    return Promise.race([work, faulty]).finally(() => clearInterval(watch))
  }

  /** What came since the last tick: for whoever watches. */
  tick(): Counted {
    this.#settle()
    return this.#sinceTick.take()
  }

  /** What came since the last window: for the scenario. */
  window(): Counted {
    this.#settle()
    return this.#sinceWindow.take()
  }

  #settle(): void {
    this.#sinceTick.add(this.#now)
    this.#sinceWindow.add(this.#now)
    this.#now.clear()
  }
}

class Counter {
  tokens = 0
  opened = 0
  errors = 0
  readonly latencies = new Latencies()

  add(other: Counter): void {
    this.tokens += other.tokens
    this.opened += other.opened
    this.errors += other.errors
    this.latencies.merge(other.latencies)
  }

  clear(): void {
    this.tokens = 0
    this.opened = 0
    this.errors = 0
    this.latencies.clear()
  }

  take(): Counted {
    const { tokens, opened, errors } = this
    const counted = { tokens, opened, errors, latencies: this.latencies.encode() }
    this.clear()
    return counted
  }
}
