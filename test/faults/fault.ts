import type { TransportName } from '../support/transports.ts'

/** How much of a fault is asked for: `short` is what every change is held against, `full` what a release is. */
export type Size = 'short' | 'full'

export type FaultOptions = {
  /** The same seed plays the same fault. */
  readonly seed: number
  readonly size: Size
  /** Cycles, frames, minutes or slow clients instead of the size's own number. */
  readonly count: number | undefined
  /** A Postgres server (`DATABASE_URL`) instead of the embedded one. */
  readonly databaseUrl: string | undefined
  /** The only transport, for faults that are played on both. */
  readonly transport: TransportName | undefined
  /** Progress, a line each. */
  readonly say: (line: string) => void
}

/** What was looked at, and what of it did not hold. A fault that checked nothing has failed. */
export type Findings = {
  readonly checked: Readonly<Record<string, number | string>>
  readonly violations: readonly string[]
}

/** One way in which the world breaks, and the promises that must hold all the same. */
export type Fault = {
  readonly name: string
  readonly title: string
  run(options: FaultOptions): Promise<Findings>
}
