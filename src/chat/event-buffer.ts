import type { DeltaEvent, Event } from '../protocol/events.ts'
import { MAX_DELTA_BYTES } from '../protocol/limits.ts'
import { deltaEvent, deltaEvents } from './deltas.ts'

type DeltaType = DeltaEvent['type']

/**
 * Joins what a run produces between two flushes: adjacent deltas of an item become one event. Its run flushes when it has taken
 * in all that one read of the upstream brought: an idle server adds no latency, one that is behind reads more at once and
 * joins more. Order is kept.
 */
export class EventBuffer {
  readonly #sink: (events: readonly Event[]) => void
  #events: Event[] = []
  /** The open delta; kept apart so that joining is a string concatenation and nothing else. */
  #type: DeltaType | undefined
  #item = ''
  #delta = ''

  constructor(sink: (events: readonly Event[]) => void) {
    this.#sink = sink
  }

  push(event: Event): void {
    this.#seal()
    this.#events.push(event)
  }

  delta(type: DeltaType, item: string, delta: string): void {
    if (this.#type !== type || this.#item !== item || this.#delta.length + delta.length > MAX_DELTA_BYTES) {
      this.#seal()
      this.#type = type
      this.#item = item
    }
    this.#delta += delta
    if (this.#delta.length > MAX_DELTA_BYTES) this.#seal()
  }

  /** Hands everything over now. */
  flush(): void {
    this.#seal()
    if (this.#events.length === 0) return
    const events = this.#events
    this.#events = []
    this.#sink(events)
  }

  #seal(): void {
    if (this.#type === undefined) return
    if (this.#delta.length > MAX_DELTA_BYTES) this.#events.push(...deltaEvents(this.#type, this.#item, this.#delta))
    else this.#events.push(deltaEvent(this.#type, this.#item, this.#delta))
    this.#type = undefined
    this.#delta = ''
  }
}
