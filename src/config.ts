import ipaddr from 'ipaddr.js'
import * as v from 'valibot'
import { type McpPrograms, readMcpPrograms } from './config/mcp-programs.ts'
import { readPlans } from './config/plans.ts'
import { factsOf, type Read, type RowFacts, TABLE } from './config/table.ts'
import { readToolSecrets } from './config/tool-secrets.ts'
import { parseDuration, type Secret } from './config/values.ts'
import type { Plan } from './ports/accounts.ts'

/** The model of the demo: answers without a key and says that it is not an AI. */
const DEMO_MODEL = 'scripted/demo'
/** Used when a key for it is there and nothing else is named: the middle of its maker's range. */
const ANTHROPIC_MODEL = 'anthropic/claude-sonnet-5-5'
/** Likewise: it takes tools by Chat Completions. A server of one's own has other models, which only its operator knows. */
const OPENAI_MODEL = 'openai/gpt-5.4-mini'

/** Everything that can be set, read once at the start. Times are milliseconds, sizes bytes. */
export type Config = Omit<Read, 'access' | 'models' | 'tools'> & {
  readonly access: Omit<Read['access'], 'defaultApp' | 'plans'> & {
    readonly plans: ReadonlyMap<string, Plan>
    readonly defaultApp: boolean
    /** It is off because others can reach this server and its model costs money, not because someone said so. */
    readonly defaultAppHidden: boolean
  }
  readonly models: Omit<Read['models'], 'default'> & { readonly default: string }
  readonly tools: Pick<Read['tools'], 'hosts'> & { readonly secrets: ReadonlyMap<string, Secret> }
  readonly mcp: Pick<McpPrograms, 'programs'> & { readonly processes: number; readonly idleMs: number }
}

export type ConfigRow = {
  readonly name: string
  readonly standard: string
  readonly allowed: string
  readonly why: string
}

/** The message holds one line per fault: the variable, what it holds (unless secret) and what is allowed. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly faults: readonly string[]

  constructor(faults: readonly string[]) {
    super(faults.join('\n'))
    this.faults = faults
  }
}

type Environment = Readonly<Record<string, string | undefined>>
type Row = RowFacts & { readonly group: string; readonly key: string }

const ROWS: readonly Row[] = Object.entries(TABLE.entries).flatMap(([group, schema]) =>
  Object.entries(schema.entries).map(([key, row]) => ({ group, key, ...factsOf(row) })),
)

const OWN_NAMES = ROWS.map(({ name }) => name)

/** Reads and checks all variables; throws ConfigError with every fault at once. An empty value counts as absent. */
export function readConfig(env: Environment): Config {
  const parsed = v.safeParse(TABLE, gather(env))
  if (!parsed.success) throw new ConfigError(parsed.issues.map((issue) => describe(issue, env)))
  const { secretNames, hosts, mcpFile, mcpProcesses: processes, mcpIdleMs: idleMs } = parsed.output.tools
  const { secrets, faults: secretFaults } = readToolSecrets(secretNames, env, OWN_NAMES)
  const { programs, faults: programFaults } = readMcpPrograms(mcpFile, env, OWN_NAMES)
  const { plans, faults: planFaults } = readPlans(parsed.output.access.plans)
  const config = { ...derive(parsed.output, plans), tools: { hosts, secrets }, mcp: { programs, processes, idleMs } }
  const otherFaults = planFaults.length > 0 ? planFaults : defaultPlanFaults(config)
  const faults = [...RULES.flatMap((rule) => rule(config) ?? []), ...secretFaults, ...programFaults, ...otherFaults]
  if (faults.length > 0) throw new ConfigError(faults)
  for (const group of Object.values(config)) Object.freeze(group)
  return Object.freeze(config)
}

/** Names that look like ours and mean nothing: most likely misspelt. */
export function unknownNames(env: Environment): string[] {
  const known = new Set(ROWS.map((row) => row.name))
  return Object.keys(env).filter((name) => /^PARLEY_(?!TEST_|KEY$)/.test(name) && !known.has(name))
}

/** One row per variable, for people. */
export function configTable(): ConfigRow[] {
  return ROWS.map(({ name, standard, optional, kind, why }) => {
    return { name, standard: optional || standard === '' ? standard : code(standard), allowed: kind.allowed, why }
  })
}

const DERIVED = [
  'Units: `ms`, `s`, `m`, `h`, `d`; `B`, `KiB`, `MiB`, `GiB`. An empty value counts as absent.',
  '`PARLEY_CONNECTIONS`: the files that the process may have open (`ulimit -n`) but a quarter, 2,000 at most; no bound where the system does not say how many.',
  '`PARLEY_DEFAULT_APP`: on, unless `HOST` lets other machines in while a real model is set up.',
  `\`PARLEY_MODEL\`: ${ANTHROPIC_MODEL} with an \`ANTHROPIC_API_KEY\`, else ${OPENAI_MODEL} with an \`OPENAI_API_KEY\` or \`OPENAI_BASE_URL\`, else ${DEMO_MODEL}.`,
  '`PARLEY_PLANS`: `free` 100 an hour and 10 a minute, `starter` 500 and 50, `standard` 2,000 and 100, `pro` 10,000 and 500.',
]

/** The table as Markdown, as it stands in README. */
export function configMarkdown(): string {
  const rows = configTable().map((row) => [code(row.name), row.standard, row.allowed, row.why])
  const lines = [
    ['Variable', 'Default', 'Allowed', 'What for, or why this value'],
    ['---', '---', '---', '---'],
    ...rows,
  ]
  return [...lines.map((cells) => `| ${cells.join(' | ')} |`), '', ...DERIVED.map((line) => `- ${line}`)].join('\n')
}

function code(value: string): string {
  return `\`${value}\``
}

function gather(env: Environment): Record<string, Record<string, string | undefined>> {
  const input: Record<string, Record<string, string | undefined>> = {}
  for (const { group, key, name } of ROWS) {
    const given = env[name]?.trim()
    input[group] = { ...input[group], [key]: given === '' ? undefined : given }
  }
  return input
}

/** Characters of a bad value that are repeated: enough to recognise it. */
const SHOWN_VALUE = 60

function describe(issue: v.BaseIssue<unknown>, env: Environment): string {
  const path = v.getDotPath(issue)
  const row = ROWS.find(({ group, key }) => `${group}.${key}` === path)
  if (row === undefined) return issue.message
  const { name, kind } = row
  const held = kind.secret === true ? 'holds something else' : `holds "${env[name]?.slice(0, SHOWN_VALUE) ?? ''}"`
  return `${name} ${held}; allowed: ${kind.allowed}`
}

function derive(read: Read, plans: ReadonlyMap<string, Plan>): Omit<Config, 'tools' | 'mcp'> {
  const { server, access, models } = read
  const standard = standardModel(models)
  const exposed = !isLoopback(server.host) && standard !== DEMO_MODEL
  return {
    ...read,
    access: {
      ...access,
      plans,
      defaultApp: access.defaultApp ?? !exposed,
      defaultAppHidden: access.defaultApp === undefined && exposed,
    },
    models: { ...models, default: models.default ?? standard },
  }
}

function standardModel(models: Read['models']): string {
  if (models.anthropicApiKey !== undefined) return ANTHROPIC_MODEL
  return hasOpenAi(models) ? OPENAI_MODEL : DEMO_MODEL
}

/** A server of one's own needs no key, OpenAI's no address. */
function hasOpenAi({ openaiApiKey, openaiBaseUrl }: Pick<Read['models'], 'openaiApiKey' | 'openaiBaseUrl'>): boolean {
  return openaiApiKey !== undefined || openaiBaseUrl !== undefined
}

type Rule = (config: Config) => string | undefined

/** What one variable alone cannot tell. */
const RULES: readonly Rule[] = [
  ({ server }) =>
    (server.tlsCertFile === undefined) === (server.tlsKeyFile === undefined)
      ? undefined
      : 'TLS_CERT_FILE and TLS_KEY_FILE must be set together',
  ({ chat }) =>
    chat.behindBytes < chat.outboxBytes ? undefined : 'PARLEY_BEHIND_SIZE must be smaller than PARLEY_OUTBOX_SIZE',
  ({ chat }) =>
    chat.messageBytes <= chat.frameBytes ? undefined : 'PARLEY_MESSAGE_SIZE must not exceed PARLEY_FRAME_SIZE',
  ({ log }) =>
    log.idleEntries <= log.runEntries ? undefined : 'PARLEY_LOG_IDLE_ENTRIES must not exceed PARLEY_LOG_RUN_ENTRIES',
  ({ log }) => (log.idleBytes <= log.runBytes ? undefined : 'PARLEY_LOG_IDLE_SIZE must not exceed PARLEY_LOG_RUN_SIZE'),
  ({ models }) =>
    models.anthropicApiKey === undefined && namesModelOf('anthropic', models)
      ? `${MODEL_ROWS} names an anthropic model; that needs ANTHROPIC_API_KEY`
      : undefined,
  ({ models }) =>
    !hasOpenAi(models) && namesModelOf('openai', models)
      ? `${MODEL_ROWS} names an openai model; that needs OPENAI_API_KEY or OPENAI_BASE_URL`
      : undefined,
]

function defaultPlanFaults({ access: { plans, defaultPlan } }: Pick<Config, 'access'>): string[] {
  if (defaultPlan === 'none' || plans.has(defaultPlan)) return []
  return [`PARLEY_DEFAULT_PLAN holds "${defaultPlan}"; allowed: none, ${[...plans.keys()].join(', ')}`]
}

const MODEL_ROWS = 'PARLEY_MODEL, PARLEY_MODELS or PARLEY_FALLBACKS'

function namesModelOf(provider: string, models: Config['models']): boolean {
  return [models.default, ...models.others, ...models.fallbacks].some((name) => name.startsWith(`${provider}/`))
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || (ipaddr.isValid(host) && ipaddr.process(host).range() === 'loopback')
}

export { parseDuration }
