import type { Unsaved } from './draft-items.ts'
import type { RunHost } from './run-plan.ts'

/** Nobody waits for a checkpoint, so those of all runs go together: they wait so much of their interval, and milliseconds at most. */
const PATIENCE = { share: 0.05, mostMs: 50 }

/** Saves what a running answer said since it was last saved, at most once an interval: what a crash may take (the exception of I3). */
export class Checkpoint {
  readonly #session: RunHost
  readonly #unsaved: () => Unsaved | undefined
  readonly #patienceMs: number
  #state: 'clean' | 'dirty' | 'saving' | 'saving-dirty' = 'clean'
  #at: number

  constructor(session: RunHost, startedAt: number, unsaved: () => Unsaved | undefined) {
    this.#session = session
    this.#unsaved = unsaved
    const { checkpointMs } = session.core.settings
    this.#patienceMs = Math.min(checkpointMs * PATIENCE.share, PATIENCE.mostMs)
    // At a random point of the first interval: runs that start together do not all save in the same turn of the loop.
    this.#at = startedAt - Math.random() * checkpointMs
  }

  /** There is something that the last one did not save. */
  touch(): void {
    if (this.#state === 'clean') this.#state = 'dirty'
    else if (this.#state === 'saving') this.#state = 'saving-dirty'
  }

  saveWhenDue(now: number): void {
    const { checkpointMs } = this.#session.core.settings
    if (this.#state !== 'dirty' || now - this.#at < checkpointMs - this.#patienceMs) return
    this.#at = now
    this.#state = 'saving'
    // Runs that waited for the same write are due together, and one of a fast model has half a megabyte to save.
    this.#session.core.turns.run(() => {
      void this.#save(checkpointMs).finally(() => {
        this.#state = this.#state === 'saving-dirty' ? 'dirty' : 'clean'
      })
    })
  }

  async #save(giveUpAfterMs: number): Promise<void> {
    const unsaved = this.#unsaved()
    if (unsaved === undefined) return
    try {
      const { messages, tails, saved } = unsaved
      if (messages.length + tails.length > 0)
        await this.#session.save({ messages, tails }, giveUpAfterMs, this.#patienceMs)
      saved()
    } catch (thrown) {
      // Nothing was promised: the next one, or the end, holds all of it again.
      this.#session.core.telemetry.log('debug', 'checkpoint failed', {}, thrown)
    }
  }
}
