import type { DeltaEvent, Event } from '../protocol/events.ts'
import { MAX_DELTA_BYTES } from '../protocol/limits.ts'
import { deltaEvents } from './deltas.ts'

type DeltaType = DeltaEvent['type']

/** Buffers that got something in this turn of the loop; one immediate flushes them all. */
let dirty: EventBuffer[] = []

function flushAll(): void {
  const buffers = dirty
  dirty = []
  for (const buffer of buffers) buffer.flush()
}

/**
 * Joins what a run produces in one turn of the event loop: adjacent deltas of an item become one event. An overloaded loop
 * joins more by itself; no timer stands on the live path. Order is kept.
 */
export class EventBuffer {
  readonly #sink: (events: readonly Event[]) => void
  #events: Event[] = []
  /** The open delta; kept apart so that joining is a string concatenation and nothing else. */
  #type: DeltaType | undefined
  #item = ''
  #delta = ''
  #scheduled = false

  constructor(sink: (events: readonly Event[]) => void) {
    this.#sink = sink
  }

  push(event: Event): void {
    this.#seal()
    this.#events.push(event)
    this.#schedule()
  }

  delta(type: DeltaType, item: string, delta: string): void {
    if (this.#type !== type || this.#item !== item || this.#delta.length + delta.length > MAX_DELTA_BYTES) {
      this.#seal()
      this.#type = type
      this.#item = item
    }
    this.#delta += delta
    if (this.#delta.length > MAX_DELTA_BYTES) this.#seal()
    this.#schedule()
  }

  /** Hands everything over now. */
  flush(): void {
    this.#scheduled = false
    this.#seal()
    if (this.#events.length === 0) return
    const events = this.#events
    this.#events = []
    this.#sink(events)
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    if (dirty.push(this) === 1) process.nextTick(flushAll)
  }

  #seal(): void {
    if (this.#type === undefined) return
    this.#events.push(...deltaEvents(this.#type, this.#item, this.#delta))
    this.#type = undefined
    this.#delta = ''
  }
}
