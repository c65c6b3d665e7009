import * as v from 'valibot'
import { MAX_INBOUND_FRAME_BYTES, MAX_MESSAGE_BYTES } from '../protocol/limits.ts'
import {
  choice,
  count,
  duration,
  isHostEntry,
  isNetwork,
  isOriginEntry,
  isUrl,
  type Kind,
  list,
  SWITCH,
  secret,
  size,
  text,
} from './values.ts'

/** What is known of one variable beside how it is read. `standard` is written as a person would write it. */
export type RowFacts = {
  readonly name: string
  readonly standard: string
  readonly kind: Kind<unknown>
  /** `standard` says in words what holds then. */
  readonly optional: boolean
  /** The reason for the default, or what the variable is for. */
  readonly why: string
}

const FACTS = new WeakMap<object, RowFacts>()

/** The facts of one entry of the table. */
export function factsOf(schema: object): RowFacts {
  const facts = FACTS.get(schema)
  if (facts === undefined) throw new TypeError('not a row of the table')
  return facts
}

function row<T>(name: string, kind: Kind<T>, standard: string, why: string) {
  const schema = v.optional(kind.schema, standard)
  FACTS.set(schema, { name, standard, kind, why, optional: false })
  return schema
}

/** A variable without a value of its own; `instead` says what holds then. */
function optional<T>(name: string, kind: Kind<T>, instead: string, why: string) {
  const schema = v.optional(kind.schema)
  FACTS.set(schema, { name, standard: instead, kind, why, optional: true })
  return schema
}

const LEVELS = choice('debug', 'info', 'warn', 'error', 'silent')
const ORIGINS = list(isOriginEntry, 'origins such as https://chat.example.com, or *')
const NETWORKS = list(isNetwork, 'IP addresses and networks such as 10.0.0.0/8')
const HOSTS = list(isHostEntry, 'hosts, or host:port, such as orders.internal:8443')
const NAMES = list((name) => /^[A-Z][A-Z0-9_]{0,63}$/.test(name), 'names such as ORDERS_TOKEN')
const MODEL = /^[a-z0-9-]{1,40}\/[A-Za-z0-9._:/@-]{1,160}$/
const MODEL_KIND = text(MODEL, 'provider/model, such as anthropic/claude-sonnet-5-5')
const POSTGRES = secret((value) => isUrl(value, 'postgres:', 'postgresql:'), 'a postgres:// URL')
const SEALING_KEY = /^[A-Za-z0-9+/]{43}=$/
const KEY = secret((key) => key !== '', 'a key')
const PLANS = text(
  /^[^\0]{1,65536}$/,
  'JSON such as {"free": {"perHour": 100, "perMinute": 10}}, or the path of a file',
)
const PLAN = text(/^[a-z][a-z0-9-]{0,31}$/, 'none, or the name of a plan')
const PATH = text(/^[^\0]{1,1024}$/, 'a path')
const WEB_URL: Kind<string> = {
  schema: v.pipe(
    v.string(),
    v.trim(),
    v.check((value) => isUrl(value, 'http:', 'https:')),
  ),
  allowed: 'an http:// or https:// URL',
}
const [KIB_64, KIB_32] = [`${MAX_INBOUND_FRAME_BYTES / 1024}KiB`, `${MAX_MESSAGE_BYTES / 1024}KiB`]

const server = v.object({
  port: row('PORT', count(0, 65_535), '8080', 'Where the page, HTTP and WebSocket are; 0 takes any free port'),
  host: row('HOST', text(/^[A-Za-z0-9.:-]{1,255}$/, 'an address or a host name'), '127.0.0.1', 'Only this machine'),
  tlsCertFile: optional('TLS_CERT_FILE', PATH, 'none', 'Certificate with its chain (PEM): TLS without a proxy'),
  tlsKeyFile: optional('TLS_KEY_FILE', PATH, 'none', 'Its key (PEM)'),
  databaseUrl: optional('DATABASE_URL', POSTGRES, 'the embedded server', 'Another Postgres than the embedded one'),
  dataDir: row('PARLEY_DATA_DIR', PATH, '.parley', 'Data of the embedded Postgres'),
  transport: row('PARLEY_TRANSPORT', choice('auto', 'uws', 'ws'), 'auto', 'uws where its binary loads, else ws'),
  logLevel: row('LOG_LEVEL', LEVELS, 'info', 'What happens once per connection or run, and what fails'),
  metrics: row('PARLEY_METRICS', choice('local', 'public'), 'local', 'Who may read /metrics: this machine, or all'),
  handshakeMs: row(
    'PARLEY_HANDSHAKE_TIMEOUT',
    duration('1s', '2m'),
    '10s',
    'A slow phone sends headers in 2s; uws: always 10s',
  ),
  headerBytes: row('PARLEY_HEADER_SIZE', size('8KiB', '1MiB'), '256KiB', 'Clients that put a message in the query'),
  connections: optional('PARLEY_CONNECTIONS', count(1, 1e7), 'see below', 'WebSockets of this process, then HTTP 503'),
  bodyBytes: row('PARLEY_BODY_SIZE', size('16KiB', '64MiB'), '1MiB', 'Far above the longest message of a client'),
})

const access = v.object({
  defaultApp: optional('PARLEY_DEFAULT_APP', SWITCH, 'see below', 'Whether the default App answers without a key'),
  origins: row('PARLEY_ORIGINS', ORIGINS, '', 'Other sites whose pages may use the default App; * opens a demo'),
  trustedProxies: row('PARLEY_TRUSTED_PROXIES', NETWORKS, '', 'Proxies whose X-Forwarded-For and -Proto count'),
  walletList: row(
    'PARLEY_AOMI_WALLET_LIST',
    SWITCH,
    'off',
    'Whoever names a wallet reads the conversations of it that no key made',
  ),
  requireHttps: row('PARLEY_REQUIRE_HTTPS', SWITCH, 'off', 'Refuse requests that did not come over TLS'),
  connectionsPerAddress: row('PARLEY_CONNECTIONS_PER_ADDRESS', count(1, 1e6), '200', 'An office behind one address'),
  connectionsPerKey: row('PARLEY_CONNECTIONS_PER_KEY', count(1, 1e6), '20000', 'More than a process holds at ease'),
  connectionsPerApp: row('PARLEY_CONNECTIONS_PER_APP', count(1, 1e6), '20000', 'The same; less where Apps share it'),
  appRunsAtOnce: row(
    'PARLEY_APP_RUNS_AT_ONCE',
    count(1, 1e6),
    '1000',
    'As many requests as a provider is sent at once',
  ),
  accountRunsAtOnce: row(
    'PARLEY_ACCOUNT_RUNS_AT_ONCE',
    count(1, 1e6),
    '1000',
    'Of all Apps, by the keys of one account',
  ),
  appTokensPerDay: row('PARLEY_APP_TOKENS_PER_DAY', count(0, 1e12), '0', 'Input and output, a day of UTC; 0: no bound'),
  runsPerMinute: row('PARLEY_RUNS_PER_MINUTE', count(1, 1e6), '10', 'Per address, without a key: a person reads on'),
  runsAtOnce: row('PARLEY_RUNS_AT_ONCE', count(1, 1e6), '3', 'Per address, without a key: a few tabs'),
  guessesPerMinute: row('PARLEY_KEY_GUESSES_PER_MINUTE', count(1, 1e4), '10', 'Wrong secrets per key id and address'),
  hashesAtOnce: row(
    'PARLEY_KEY_HASHES_AT_ONCE',
    count(1, 64),
    '2',
    '24 ms of CPU and 19 MiB each; more wait or are shed',
  ),
  plans: optional('PARLEY_PLANS', PLANS, 'see below', 'What accounts may do: a JSON file, or JSON'),
  defaultPlan: row('PARLEY_DEFAULT_PLAN', PLAN, 'none', 'Of accounts that nobody gave one; none: no plan limits them'),
  ticketMs: row(
    'PARLEY_TICKET_LIFETIME',
    duration('1s', '59s'),
    '30s',
    'From minting to the handshake, on a slow phone',
  ),
  returnMs: row('PARLEY_RETURN_LIFETIME', duration('10s', '1h'), '10m', 'A client that a ticket let in may come back'),
  auditKeepMs: row('PARLEY_AUDIT_KEEP', duration('1d', '3650d'), '365d', 'Acts of administration: a year to look back'),
  secretsKey: optional(
    'PARLEY_SECRETS_KEY',
    secret((key) => SEALING_KEY.test(key), '32 bytes in base64 (openssl rand -base64 32)'),
    'one in the database',
    "Seals people's secrets; apart from the database, a copy of that opens none",
  ),
  verdicts: row('PARLEY_KEYS_IN_MEMORY', count(1, 1e6), '10000', 'Checked keys are not hashed again; 1 KiB each'),
})

const models = v.object({
  anthropicApiKey: optional('ANTHROPIC_API_KEY', KEY, 'none', 'Turns Claude on'),
  anthropicBaseUrl: optional('ANTHROPIC_BASE_URL', WEB_URL, "Anthropic's own", 'A gateway that speaks its API'),
  openaiApiKey: optional('OPENAI_API_KEY', KEY, 'none', "Turns OpenAI's models on; local servers need none"),
  openaiBaseUrl: optional(
    'OPENAI_BASE_URL',
    WEB_URL,
    "OpenAI's own",
    'A server that speaks Chat Completions; ends in /v1',
  ),
  default: optional('PARLEY_MODEL', MODEL_KIND, 'see below', "The default App's model, as provider/model"),
  others: row(
    'PARLEY_MODELS',
    list((item) => MODEL.test(item), 'provider/model'),
    '',
    'What people may choose, too',
  ),
  fallbacks: row(
    'PARLEY_FALLBACKS',
    list((item) => MODEL.test(item), 'provider/model'),
    '',
    "The default App's models in line, for when one is overloaded or away",
  ),
  outputTokens: row('PARLEY_OUTPUT_TOKENS', count(1, 1e6), '8192', 'Per call; about 6,000 words'),
  contextTokens: row('PARLEY_CONTEXT_TOKENS', count(1000, 1e7), '100000', 'Of history, preamble and tools per call'),
  scriptedTokensPerSecond: row(
    'PARLEY_SCRIPTED_RATE',
    count(1, 1e6),
    '80',
    'The demo model; it counts at a quarter of it',
  ),
})

const chat = v.object({
  pingEveryMs: row('PARLEY_PING_INTERVAL', duration('1s', '10m'), '25s', 'Proxies cut silent links after 30s'),
  deadAfterMs: row('PARLEY_DEAD_AFTER', duration('100ms', '10m'), '10s', 'Silence after a ping; a bad phone link'),
  frameBytes: row('PARLEY_FRAME_SIZE', size('1KiB', KIB_64), KIB_64, 'One inbound frame; can only be lowered'),
  messageBytes: row('PARLEY_MESSAGE_SIZE', size('256B', KIB_32), KIB_32, 'Text of one message; can only be lowered'),
  behindBytes: row('PARLEY_BEHIND_SIZE', size('4KiB', '1GiB'), '256KiB', 'About 4 s of a fast answer wait: it lags'),
  outboxBytes: row('PARLEY_OUTBOX_SIZE', size('8KiB', '1GiB'), '1MiB', 'What may wait for one client, then 4503'),
  queuedSends: row('PARLEY_QUEUE', count(0, 1000), '10', 'Sends of one session that wait; nobody types further ahead'),
  connectionsPerSession: row('PARLEY_CONNECTIONS_PER_SESSION', count(1, 1e5), '50', 'Tabs and devices, then 4409'),
  commandsPerSecond: row('PARLEY_COMMANDS_PER_SECOND', count(1, 1e5), '20', 'A person with every button held down'),
  commandBurst: row('PARLEY_COMMAND_BURST', count(1, 1e6), '100', 'A client that sends what it kept while offline'),
  historyBytes: row('PARLEY_HISTORY_MEMORY', size('1MiB', '1024GiB'), '64MiB', 'About 1,300 talks of 50 messages'),
  recordCount: row('PARLEY_SESSIONS_IN_MEMORY', count(1, 1e7), '20000', 'Idle sessions without history; 1 KiB each'),
  idleMs: row('PARLEY_HISTORY_IDLE', duration('1s', '7d'), '20m', 'Then an idle history leaves memory'),
  windowBytes: row('PARLEY_WINDOW_SIZE', size('16KiB', '1GiB'), '1MiB', 'Newest history held; above any context'),
  windowMessages: row('PARLEY_WINDOW_MESSAGES', count(10, 1e6), '2000', 'Newest messages of a session in memory'),
  checkpointMs: row('PARLEY_CHECKPOINT_INTERVAL', duration('50ms', '1m'), '1s', 'What a crash may take of an answer'),
  storeGiveUpMs: row('PARLEY_STORE_GIVE_UP', duration('100ms', '10m'), '5s', 'A send waits so long for a lost store'),
  endSaveMs: row('PARLEY_END_SAVE', duration('100ms', '1h'), '30s', "How long a run's end waits for its save"),
  providerStallMs: row('PARLEY_PROVIDER_STALL', duration('1s', '1h'), '90s', 'Longest silence of a thinking model'),
  toolDeadlineMs: row('PARLEY_TOOL_DEADLINE', duration('100ms', '1h'), '30s', 'Then the model is told of a timeout'),
  toolLeaseMs: row('PARLEY_TOOL_LEASE', duration('1s', '1h'), '30s', "How long a claimed call is one tab's to execute"),
  toolResultBytes: row('PARLEY_TOOL_RESULT_SIZE', size('1KiB', '16MiB'), '64KiB', 'Given to the model; rest is cut'),
  toolRounds: row('PARLEY_TOOL_ROUNDS', count(1, 1000), '25', 'A model that loops stops here'),
  runMs: row('PARLEY_RUN_TIME', duration('1s', '1d'), '10m', 'Longest run with all its tools'),
  titles: row('PARLEY_TITLES', SWITCH, 'on', 'The model names a conversation after its first answer'),
  titleMs: row('PARLEY_TITLE_DEADLINE', duration('100ms', '10m'), '20s', 'Then the first words stay the title'),
  reconnectMs: row('PARLEY_RECONNECT', duration('0s', '10m'), '1s', 'When clients come back after a restart'),
  drainMs: row('PARLEY_DRAIN', duration('0s', '1h'), '30s', 'Runs may finish at shutdown; the grace of containers'),
})

const log = v.object({
  runEntries: row('PARLEY_LOG_RUN_ENTRIES', count(100, 1e7), '10000', 'Events of a session kept during a run'),
  runBytes: row('PARLEY_LOG_RUN_SIZE', size('64KiB', '1GiB'), '4MiB', 'Their size; the oldest are merged, then go'),
  idleEntries: row('PARLEY_LOG_IDLE_ENTRIES', count(0, 1e7), '1000', 'Events kept after a run'),
  idleBytes: row('PARLEY_LOG_IDLE_SIZE', size('0B', '1GiB'), '1MiB', 'Their size'),
  idleMs: row('PARLEY_LOG_IDLE', duration('0s', '1d'), '5m', 'A phone back from a tunnel still gets its tail'),
})

const tools = v.object({
  hosts: row('PARLEY_TOOL_HOSTS', HOSTS, '', "Private hosts, and such without TLS, that Apps' http tools may call"),
  secretNames: row(
    'PARLEY_TOOL_SECRETS',
    NAMES,
    '',
    "Variables whose values Apps' http tools may send as {secret:NAME}",
  ),
  mcpFile: optional('PARLEY_MCP_SERVERS', PATH, 'none', 'A JSON file of programs that Apps may name as MCP servers'),
  mcpProcesses: row('PARLEY_MCP_PROCESSES', count(1, 1000), '16', 'Of such programs, one per App; some 60 MB each'),
  mcpIdleMs: row('PARLEY_MCP_IDLE', duration('1s', '1d'), '5m', 'Then a connection to an MCP server is closed'),
})

const store = v.object({
  pool: row('PARLEY_DATABASE_POOL', count(1, 1000), '4', 'Connections for reads, which are short; a few more write'),
  retentionMs: row('PARLEY_RETENTION_INTERVAL', duration('1s', '7d'), '1h', "How often Apps' retention is applied"),
})

/** Every variable that Parley reads, by the room that uses it. */
export const TABLE = v.object({ server, access, models, chat, tools, log, store })

export type Read = v.InferOutput<typeof TABLE>
