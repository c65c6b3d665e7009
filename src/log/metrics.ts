import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { METRICS, type MetricName } from '../ports/telemetry.ts'

const PREFIX = 'parley_'
/** Seconds: from a query that hits the cache to a run at its limit. */
const SECOND_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 600]
/** Counts in powers of two: what one flush may carry. */
const COUNT_BUCKETS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]
/** Milliseconds between two samples of the event loop's delay: finer sampling costs more than it tells. */
const LOOP_SAMPLE_MS = 20

/** The numbers of one process, as Prometheus reads them. */
export class Metrics {
  readonly #registry = new Registry()
  readonly #counters = new Map<string, Counter>()
  readonly #histograms = new Map<string, Histogram>()
  readonly #gauges = new Map<string, () => number>()

  constructor() {
    collectDefaultMetrics({ register: this.#registry, prefix: PREFIX, eventLoopMonitoringPrecision: LOOP_SAMPLE_MS })
    for (const [name, row] of Object.entries(METRICS)) this.#register(name, row)
  }

  /** The text format of Prometheus. */
  text(): Promise<string> {
    return this.#registry.metrics()
  }

  count(metric: MetricName, by: number, label: string | undefined): void {
    const row: Row = METRICS[metric]
    const counter = this.#counters.get(metric)
    if (row.label === undefined) counter?.inc(by)
    else counter?.inc({ [row.label]: label ?? 'unknown' }, by)
  }

  observe(metric: MetricName, value: number): void {
    this.#histograms.get(metric)?.observe(value)
  }

  /** A second reader of the same name takes the first one's place: a room that was built anew. */
  gauge(metric: MetricName, read: () => number): void {
    this.#gauges.set(metric, read)
  }

  #register(metric: string, row: Row): void {
    const common = { name: PREFIX + metric, help: row.help, registers: [this.#registry] }
    const labelNames = row.label === undefined ? [] : [row.label]
    if (row.kind === 'counter') this.#counters.set(metric, new Counter({ ...common, labelNames }))
    else if (row.kind === 'histogram') {
      const buckets = metric.endsWith('_seconds') ? SECOND_BUCKETS : COUNT_BUCKETS
      this.#histograms.set(metric, new Histogram({ ...common, buckets }))
    } else {
      const gauges = this.#gauges
      // prom-client calls `collect` with the gauge as `this`.
      const gauge = new Gauge({
        ...common,
        registers: [],
        collect() {
          this.set(gauges.get(metric)?.() ?? 0)
        },
      })
      this.#registry.registerMetric(gauge)
    }
  }
}

type Row = { readonly kind: 'counter' | 'gauge' | 'histogram'; readonly help: string; readonly label?: string }
