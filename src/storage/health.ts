import type { Telemetry } from '../ports/telemetry.ts'
import type { StoreFault } from './faults.ts'

/** What one kind of use is told of. */
export type UseHealth = {
  failed(fault: StoreFault): void
  answered(): void
}

/**
 * Whether the last read and the last write got an answer; told to logs when that changes. A store may answer reads and take no
 * writes (a full disk, a standby): it is up when it does both.
 */
export class Health {
  readonly reads: UseHealth = this.#use('reads')
  readonly writes: UseHealth = this.#use('writes')
  readonly #telemetry: Telemetry
  readonly #down = new Set<string>()

  constructor(telemetry: Telemetry) {
    this.#telemetry = telemetry
    telemetry.gauge('store_up', () => (this.#down.size === 0 ? 1 : 0))
  }

  #use(use: string): UseHealth {
    const answered = () => {
      if (this.#down.delete(use) && this.#down.size === 0) this.#telemetry.log('info', 'store back')
    }
    const failed = (fault: StoreFault) => {
      // A refusal of the request itself is an answer, too.
      if (fault.kind !== 'away' && fault.kind !== 'timeout') return answered()
      if (this.#down.size === 0) this.#telemetry.log('warn', 'store away', { use }, fault)
      this.#down.add(use)
    }
    return { failed, answered }
  }
}
