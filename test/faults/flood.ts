import type { Dice } from '../support/dice.ts'
import type { Stage } from './both-transports.ts'
import type { Size } from './fault.ts'

/** What every flood gets. */
export type Flood = Stage & {
  readonly size: Size
  /** Sockets of one address instead of the size's own number. */
  readonly count: number | undefined
  readonly dice: Dice
}
