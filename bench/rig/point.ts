/** What happened since the point before. */
export type Point = {
  /** Seconds since the measurement began, at the end of what this point is about, and how many it is about. */
  readonly at: number
  readonly seconds: number
  /** Within what the table is made of; else warming up, between, settling. */
  readonly measured: boolean
  /** Per second. */
  readonly tokens: number
  readonly handshakes: number
  /** How many; the first ends the measurement. */
  readonly errors: number
  /** In ms; absent where nothing was. */
  readonly latency?: { readonly p50: number; readonly p99: number; readonly max: number }
  /** Of the server: cores and MiB; absent where it is somebody else's. */
  readonly server?: { readonly cores: number; readonly rss: number }
  /** Cores of the busiest load process. */
  readonly load: number
}

/** What a measurement looked like while it ran. */
export type Watched = {
  readonly points: readonly Point[]
  /** Of all that was measured, as `Latencies.encode` writes it. */
  readonly latencies: string
  /** Share of its core that the load side took at the most, where it was measured. */
  readonly loadSide: number
}
