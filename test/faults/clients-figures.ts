import type { FaultSession } from './clients-session.ts'

/** What was checked, summed over all that was played. */
export class Figures {
  readonly #sums = new Map<string, number>()
  readonly violations: string[] = []

  add(what: string, by = 1): void {
    this.#sums.set(what, (this.#sums.get(what) ?? 0) + by)
  }

  /** The largest that there was. */
  most(what: string, value: number): void {
    this.#sums.set(what, Math.max(this.#sums.get(what) ?? 0, value))
  }

  broken(where: string, what: readonly string[]): void {
    this.violations.push(...what.map((each) => `${where}: ${each}`))
  }

  /** What the people of a session did and saw. */
  of({ people, journal }: FaultSession): void {
    this.add('sessions')
    this.add('clients', people.length)
    for (const { acks, refusedBy } of journal.sends) {
      this.add('sends acknowledged', acks.length)
      this.add('sends refused', refusedBy === undefined ? 0 : 1)
    }
    this.add('stops', journal.cancels.length)
    this.add('retries', journal.retries.length)
    for (const { peer, proxy } of people) {
      this.add('cuts', proxy.cuts)
      this.add('connections', peer.counts.attempts)
      this.add('events', peer.story.counts.events)
      this.add('resumed by tail', peer.story.counts.tails)
      this.add('resumed by snapshot', peer.story.counts.snapshots)
      this.add('texts held against the script', peer.counts.judged)
      this.add('messages compared', peer.view.lines.length)
    }
  }

  get checked(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#sums)
  }
}
