import { type DeltaEvent, type Event, isDelta } from '../../protocol/events.ts'
import { MAX_DELTA_UNITS } from '../../protocol/limits.ts'
import { deltaEvent, deltaEvents } from './deltas.ts'

type DeltaType = DeltaEvent['type']

const NO_EVENTS: never[] = []

/**
 * Joins what a run produces between two flushes: adjacent deltas of an item become one event. Its run flushes when it has taken
 * in all that one read of the upstream brought: an idle server adds no latency, one that is behind reads more at once and
 * joins more. Order is kept.
 */
export class EventBuffer {
  readonly #sink: (events: readonly Event[]) => void
  #events: Event[] = NO_EVENTS
  /** The open delta; kept apart so that joining is a string concatenation and nothing else. */
  #type: DeltaType | undefined
  #item = ''
  #delta = ''
  /** UTF-16 units up to which deltas are joined. */
  #most = MAX_DELTA_UNITS

  constructor(sink: (events: readonly Event[]) => void) {
    this.#sink = sink
  }

  push(event: Event): void {
    this.#seal()
    this.#add(event)
  }

  delta(type: DeltaType, item: string, delta: string): void {
    if (this.#type !== type || this.#item !== item || this.#delta.length + delta.length > this.#most) {
      this.#seal()
      this.#type = type
      this.#item = item
    }
    this.#delta += delta
    if (this.#delta.length > this.#most) this.#seal()
  }

  get empty(): boolean {
    return this.#type === undefined && this.#events.length === 0
  }

  /** Hands everything over now. */
  flush(): void {
    this.#most = MAX_DELTA_UNITS
    this.#seal()
    if (this.#events.length === 0) return
    const events = this.#events
    this.#events = NO_EVENTS
    this.#sink(events)
  }

  /**
   * Hands over the next events, with no more text than one of them where all are of `most` UTF-16 units at most; from now on
   * deltas are joined up to there only. Gives how many units that text has.
   */
  flushFrame(most: number): number {
    this.#most = most
    this.#seal()
    let [count, units] = [0, 0]
    for (const event of this.#events) {
      const more = isDelta(event) ? event.delta.length : 0
      if (count > 0 && units + more > most) break
      units += more
      count++
    }
    if (count > 0) this.#sink(this.#events.splice(0, count))
    return units
  }

  #seal(): void {
    if (this.#type === undefined) return
    if (this.#delta.length > MAX_DELTA_UNITS)
      for (const event of deltaEvents(this.#type, this.#item, this.#delta)) this.#add(event)
    else this.#add(deltaEvent(this.#type, this.#item, this.#delta))
    this.#type = undefined
    this.#delta = ''
  }

  /** Mostly there is one, and an array that is pushed to makes room for seventeen. */
  #add(event: Event): void {
    if (this.#events.length > 0) this.#events.push(event)
    else this.#events = [event]
  }
}
