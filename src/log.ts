import pino, { type DestinationStream } from 'pino'
import { Metrics } from './log/metrics.ts'
import { describeCause, scrubFields } from './log/scrub.ts'
import type { CounterName, GaugeName, HistogramName, LogFields, LogLevel, Telemetry } from './ports/telemetry.ts'

export type LogOptions = {
  readonly level: LogLevel | 'silent'
  /** Where lines go; default: standard output, without waiting for it. */
  readonly destination?: DestinationStream
}

/** Log lines as JSON, `{level, time, msg, …fields, cause?}`, and metrics. */
export class Log implements Telemetry {
  readonly #logger: pino.Logger
  readonly #metrics = new Metrics()

  constructor({ level, destination }: LogOptions) {
    const options: pino.LoggerOptions = {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    }
    this.#logger = pino(options, destination ?? pino.destination({ dest: 1, sync: false }))
  }

  log(level: LogLevel, event: string, fields?: LogFields, cause?: unknown): void {
    if (!this.#logger.isLevelEnabled(level)) return
    const line = fields === undefined ? {} : scrubFields(fields)
    this.#logger[level](cause === undefined ? line : { ...line, cause: describeCause(cause) }, event)
  }

  count(metric: CounterName, by = 1, label?: string): void {
    this.#metrics.count(metric, by, label)
  }

  observe(metric: HistogramName, value: number): void {
    this.#metrics.observe(metric, value)
  }

  gauge(metric: GaugeName, read: () => number): void {
    this.#metrics.gauge(metric, read)
  }

  metricsText(): Promise<string> {
    return this.#metrics.text()
  }

  /** Resolves when the lines so far are written; call it before the process ends. */
  flush(): Promise<void> {
    return new Promise((resolve) => {
      this.#logger.flush(() => resolve())
    })
  }
}
