/** Every number that Parley exports, with its help text. Histograms are in seconds unless the name says otherwise. */
export const METRICS = {
  connections_opened_total: { kind: 'counter', help: 'WebSocket connections that were accepted' },
  connections_closed_total: { kind: 'counter', help: 'WebSocket connections that ended, by close code', label: 'code' },
  handshakes_refused_total: { kind: 'counter', help: 'Handshakes that were refused, by error code', label: 'code' },
  runs_started_total: { kind: 'counter', help: 'Runs that started' },
  runs_ended_total: { kind: 'counter', help: 'Runs that ended, by status', label: 'status' },
  run_seconds: { kind: 'histogram', help: 'From the start of a run to its terminal event' },
  run_first_event_seconds: { kind: 'histogram', help: 'From the start of a run to the first event of the model' },
  model_tokens_total: { kind: 'counter', help: 'Tokens that providers counted, by direction', label: 'direction' },
  model_fallbacks_total: { kind: 'counter', help: 'Times that a run went on to the next model in line' },
  tool_calls_total: { kind: 'counter', help: 'Tool calls that were executed, by outcome', label: 'outcome' },
  mcp_absent_total: {
    kind: 'counter',
    help: 'Times that an answer did without the tools of an MCP server, by reason',
    label: 'reason',
  },
  commands_total: { kind: 'counter', help: 'Commands that clients sent, by type', label: 'type' },
  errors_total: { kind: 'counter', help: 'Errors told to clients, by code', label: 'code' },
  store_flush_seconds: { kind: 'histogram', help: 'One flush of the group commit' },
  store_flush_writes: { kind: 'histogram', help: 'Session writes in one flush (count)' },
  connections: { kind: 'gauge', help: 'Open WebSocket connections' },
  sessions_in_memory: { kind: 'gauge', help: 'Session records in the memory tier' },
  history_bytes: { kind: 'gauge', help: 'Bytes of history in the memory tier' },
  log_entries: { kind: 'gauge', help: 'Events in the memory of the event log' },
  outbox_bytes: { kind: 'gauge', help: 'Bytes that wait for clients which read slowly' },
  log_bytes: { kind: 'gauge', help: 'Their bytes, about' },
  active_runs: { kind: 'gauge', help: 'Runs that are on' },
  certificate_expires_timestamp_seconds: {
    kind: 'gauge',
    help: 'When the certificate that is served expires, as Unix time; 0 without one',
  },
  mcp_connections: { kind: 'gauge', help: 'Connections to MCP servers' },
  store_queue: { kind: 'gauge', help: 'Session writes that wait for the store' },
  store_up: { kind: 'gauge', help: '1 when the store answered the last read and took the last write' },
} as const satisfies Record<string, { kind: 'counter' | 'gauge' | 'histogram'; help: string; label?: string }>

export type MetricName = keyof typeof METRICS
type NamesOf<K extends 'counter' | 'gauge' | 'histogram'> = {
  [N in MetricName]: (typeof METRICS)[N]['kind'] extends K ? N : never
}[MetricName]
export type CounterName = NamesOf<'counter'>
export type GaugeName = NamesOf<'gauge'>
export type HistogramName = NamesOf<'histogram'>

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'
/** Flat and small. Never a key, ticket, message text or whole session id: session ids are shortened by `sessionTag`. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>

export interface Telemetry {
  /** `event` is a stable lower-case name such as `run ended`; `cause` is logged by the operator's side only. */
  log(level: LogLevel, event: string, fields?: LogFields, cause?: unknown): void
  count(metric: CounterName, by?: number, label?: string): void
  observe(metric: HistogramName, value: number): void
  /** Read when metrics are scraped. */
  gauge(metric: GaugeName, read: () => number): void
}

/** Characters of a session id that are logged: enough to find it among a day's, too few to be a capability. */
const TAG_LENGTH = 8

export function sessionTag(sessionId: string): string {
  return sessionId.slice(0, TAG_LENGTH)
}
