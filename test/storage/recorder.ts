import type { GaugeName, HistogramName, Telemetry } from '../../src/ports/telemetry.ts'

/** Telemetry that tests read. */
export class Recorder implements Telemetry {
  readonly events: string[] = []
  readonly observed: { metric: HistogramName; value: number }[] = []
  readonly #gauges = new Map<GaugeName, () => number>()

  log(_level: string, event: string): void {
    this.events.push(event)
  }

  count(): void {}

  observe(metric: HistogramName, value: number): void {
    this.observed.push({ metric, value })
  }

  gauge(metric: GaugeName, read: () => number): void {
    this.#gauges.set(metric, read)
  }

  read(metric: GaugeName): number | undefined {
    return this.#gauges.get(metric)?.()
  }

  values(metric: HistogramName): number[] {
    return this.observed.flatMap((one) => (one.metric === metric ? [one.value] : []))
  }
}
