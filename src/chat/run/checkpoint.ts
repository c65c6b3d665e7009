import { ParleyError } from '../../protocol/errors.ts'
import type { Unsaved } from './draft-items.ts'
import type { RunHost } from './run-plan.ts'

/**
 * Nobody waits for a checkpoint, so those of all runs go together: they wait so much of their interval, and milliseconds at most.
 * A flush of twenty costs Postgres less than two of ten; one of fifty holds up for long who shares a core with it.
 */
const PATIENCE = { share: 0.2, mostMs: 50 }

/**
 * Saves what a running answer said since it was last saved, once an interval: what a crash may take (the exception of I3). A run
 * keeps its own moment of it, given by chance, also after a save that came late: runs that were once late together would else
 * be due together from then on, and all save in the same turn of the loop.
 */
export class Checkpoint {
  readonly #session: RunHost
  readonly #unsaved: () => Unsaved | undefined
  readonly #lost: () => void
  readonly #patienceMs: number
  #state: 'clean' | 'dirty' | 'saving' | 'saving-dirty' = 'clean'
  /** From one to the next: what is left of the interval when each waits for others. */
  readonly #periodMs: number
  #due: number

  /** `lost`: called when the store says that the run is not this process's any more. */
  constructor(session: RunHost, begunAt: number, unsaved: () => Unsaved | undefined, lost: () => void) {
    this.#session = session
    this.#unsaved = unsaved
    this.#lost = lost
    const { checkpointMs } = session.core.settings
    this.#patienceMs = Math.min(checkpointMs * PATIENCE.share, PATIENCE.mostMs)
    this.#periodMs = checkpointMs - this.#patienceMs
    this.#due = begunAt + Math.random() * this.#periodMs
  }

  /** There is something that the last one did not save. */
  touch(): void {
    if (this.#state === 'clean') this.#state = 'dirty'
    else if (this.#state === 'saving') this.#state = 'saving-dirty'
  }

  saveWhenDue(time: number): void {
    const lateMs = time - this.#due
    // One that is still on is followed by the next at once.
    if (lateMs < 0 || this.#state === 'saving' || this.#state === 'saving-dirty') return
    this.#due += this.#periodMs * (1 + Math.floor(lateMs / this.#periodMs))
    if (this.#state === 'clean') return
    this.#state = 'saving'
    // Many may be due in one turn, and one of a fast model has half a megabyte to save.
    this.#session.core.turns.run(() => {
      void this.#save().finally(() => {
        this.#state = this.#state === 'saving-dirty' ? 'dirty' : 'clean'
      })
    })
  }

  async #save(): Promise<void> {
    const { checkpointMs } = this.#session.core.settings
    try {
      const unsaved = this.#unsaved()
      if (unsaved === undefined) return
      const { messages, tails, saved } = unsaved
      if (messages.length + tails.length > 0)
        await this.#session.save({ messages, tails }, checkpointMs, this.#patienceMs)
      saved()
    } catch (thrown) {
      // Nothing was promised: the next one, or the end, holds all of it again.
      this.#session.core.telemetry.log('debug', 'checkpoint failed', {}, thrown)
      // Refused by its fence, or deleted with its session: the end would be refused, too, with all that is said until then.
      if (thrown instanceof ParleyError && thrown.code === 'conflict') this.#lost()
    }
  }
}
