import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Dice } from '../support/dice.ts'
import { brokenPromises, contradictions, difference } from './clients-check.ts'
import { Journal } from './clients-journal.ts'
import { Peer, type Wait } from './clients-peer.ts'
import { Person } from './clients-person.ts'
import { CuttingProxy } from './clients-proxy.ts'
import type { Oracle } from './clients-script.ts'
import { type Line, PlainView, ReducerView } from './clients-view.ts'

/** Milliseconds within which a session's clients have caught up and agree: many times what it takes on a busy machine. */
const REST_MS = 30_000
/** Milliseconds that all must stay in one place: a command on a line that was cut behind it may still reach the server. */
const STEADY_MS = 300
/** Milliseconds between looks at several clients at once. */
const LOOK_MS = 20
/** Milliseconds, at most, until a client comes back: a model round has no time for the protocol's ten seconds. */
const BACK_MS = 60

export type SessionOptions = {
  readonly name: string
  readonly port: number
  readonly oracle: Oracle
  readonly dice: Dice
  readonly people: number
}

/** One session with several people, each behind a line of their own. */
export class FaultSession {
  readonly id = randomUUID()
  readonly journal = new Journal()
  readonly people: Person[] = []
  readonly #options: SessionOptions

  private constructor(options: SessionOptions) {
    this.#options = options
  }

  static async open(options: SessionOptions): Promise<FaultSession> {
    const session = new FaultSession(options)
    for (let nth = 0; nth < options.people; nth++) await session.#join(nth)
    return session
  }

  get peers(): readonly Peer[] {
    return this.people.map(({ peer }) => peer)
  }

  /** Everything is delivered, and everyone is at the head of the same log; what is wrong when they do not get there. */
  async rest(): Promise<string[]> {
    const deadline = performance.now() + REST_MS
    const delivered = Promise.all(this.people.map((person) => person.delivered()))
    for (const { proxy } of this.people) proxy.release()
    await Promise.race([delivered, delay(REST_MS, undefined, { ref: false })])
    for (const person of this.people) person.stop()
    let since = Number.POSITIVE_INFINITY
    let place = ''
    while (performance.now() < deadline) {
      const places = new Set(this.peers.map((peer) => (peer.atRest ? position(peer) : '')))
      const [one = ''] = places
      const steady = places.size === 1 && one !== '' && one === place
      if (!steady) since = performance.now()
      else if (performance.now() - since > STEADY_MS) return []
      place = places.size === 1 ? one : ''
      await delay(LOOK_MS)
    }
    const where = this.peers.map((peer) => `${peer.name} ${position(peer)} ${peer.view.standing.status}`)
    return [`${this.#options.name}: I6 did not come to rest: ${where.join('; ')}`]
  }

  /** What does not hold, now that all is at rest; `final` is what a client that comes fresh sees. */
  async verdict(): Promise<{ readonly violations: string[]; readonly final: readonly Line[] }> {
    const { name, oracle } = this.#options
    const fresh = this.#peer('fresh', this.#options.port, new PlainView())
    const came = await this.#comeToRest(fresh)
    const final = fresh.view.lines
    const outcome = { journal: this.journal, oracle, peers: [...this.peers, fresh], final }
    const broken = [...came, ...brokenPromises(outcome), ...contradictions(this.peers)]
    return { violations: broken.map((each) => `${name} ${each}`), final }
  }

  /** What does not hold after a restart of the server: the transcript is as it was. */
  async afterRestart(final: readonly Line[]): Promise<string[]> {
    const fresh = this.#peer('after a restart', this.#options.port, new PlainView())
    const came = await this.#comeToRest(fresh)
    const [seen, expected] = [JSON.stringify(fresh.view.lines), JSON.stringify(final)]
    const same = seen === expected ? [] : [`I6 another transcript after a restart: ${difference(seen, expected)}`]
    return [...came, ...same].map((each) => `${this.#options.name} ${each}`)
  }

  async close(): Promise<void> {
    for (const { peer } of this.people) peer.leave()
    await Promise.all(this.people.map(({ proxy }) => proxy.close()))
  }

  async #join(nth: number): Promise<void> {
    const { port, oracle, dice, name } = this.#options
    const proxy = await CuttingProxy.listen(port)
    // One of them is the browser's; the others read the protocol for themselves.
    const peer = this.#peer(`client ${nth}`, proxy.port, nth === 0 ? new ReducerView() : new PlainView())
    this.people.push(new Person({ peer, proxy, journal: this.journal, oracle, dice: dice.fork() }))
    peer.connect()
    if (!(await peer.until(() => peer.ready, REST_MS))) throw new Error(`${name}: client ${nth} never got in`)
  }

  #peer(name: string, port: number, view: Peer['view']): Peer {
    const { oracle, dice } = this.#options
    const wait: Wait = () => dice.below(BACK_MS)
    return new Peer({ name, port, session: this.id, view, oracle, wait })
  }

  async #comeToRest(fresh: Peer): Promise<string[]> {
    fresh.connect()
    const rests = await fresh.until(() => fresh.atRest, REST_MS)
    fresh.leave()
    return rests ? [] : [`${fresh.name}: never served`]
  }
}

function position({ view: { cursor } }: Peer): string {
  return cursor === undefined ? 'nowhere' : `${cursor.epoch}-${cursor.seq}`
}
