import type { Telemetry } from '../ports/telemetry.ts'
import type { StoreFault } from './faults.ts'

/** Whether the last use of the store got an answer; told to logs when it changes. */
export class Health {
  readonly #telemetry: Telemetry
  #up = true

  constructor(telemetry: Telemetry) {
    this.#telemetry = telemetry
    telemetry.gauge('store_up', () => (this.#up ? 1 : 0))
  }

  get up(): boolean {
    return this.#up
  }

  /** A refusal of the request itself is an answer, too. */
  failed(fault: StoreFault): void {
    if (fault.kind !== 'away' && fault.kind !== 'timeout') return this.answered()
    if (this.#up) this.#telemetry.log('warn', 'store away', {}, fault)
    this.#up = false
  }

  answered(): void {
    if (!this.#up) this.#telemetry.log('info', 'store back')
    this.#up = true
  }
}
