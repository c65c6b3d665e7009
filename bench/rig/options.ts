import { parseArgs } from 'node:util'
import type { Target } from '../load/line.ts'

/** What somebody asked the bench for. */
export type Options = {
  /** As they were typed; none: all. */
  readonly names: readonly string[]
  readonly rounds: number
  readonly only: 'relay' | 'parley' | undefined
  /** Load processes. */
  readonly loaders: number
  readonly json: string | undefined
  readonly html: string | undefined
  readonly profile: string | undefined
  readonly seed: number
  /** Of `return`; undefined: its own. */
  readonly keys: number | undefined
  /** Of `mixed` and `soak`; undefined: their own. */
  readonly minutes: number | undefined
  /** People a second at the busiest, of `mixed` and `soak`. */
  readonly arrivals: number | undefined
  readonly outside: OutsideOptions | undefined
  readonly help: boolean
}

/** A server that somebody else started. */
export type OutsideOptions = {
  readonly url: string
  readonly target: Target
  /** Undefined: each scenario's own. */
  readonly sessions: number | undefined
}

/** A fault of whoever typed the command, or of what it points at: told in a line, without a stack. */
export class BenchError extends Error {}

const MOST = {
  rounds: 100,
  loaders: 64,
  sessions: 200_000,
  keys: 100_000,
  minutes: 24 * 60,
  arrivals: 10_000,
  rate: 1_000_000,
  seed: 2 ** 32,
}
/** The demo model counts at a quarter of `PARLEY_SCRIPTED_RATE`, which is 80 unless someone set it. */
const COUNTS_PER_SECOND = 20
const PORTS: Readonly<Record<string, number>> = { 'ws:': 80, 'wss:': 443 }
const OUTSIDE_ONLY = ['app', 'key', 'sessions', 'rate', 'allow-remote'] as const

const OPTIONS = {
  rounds: { type: 'string' },
  only: { type: 'string' },
  loaders: { type: 'string' },
  json: { type: 'string' },
  html: { type: 'string' },
  profile: { type: 'string' },
  seed: { type: 'string' },
  keys: { type: 'string' },
  minutes: { type: 'string' },
  arrivals: { type: 'string' },
  url: { type: 'string' },
  app: { type: 'string' },
  key: { type: 'string' },
  sessions: { type: 'string' },
  rate: { type: 'string' },
  'allow-remote': { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

type Given = Readonly<Partial<Record<keyof typeof OPTIONS, string | boolean>>>

/** Throws a `BenchError` for what cannot be meant. `environment` may hold the key as `PARLEY_KEY`, out of the list of processes. */
export function readOptions(args: readonly string[], environment: Readonly<NodeJS.ProcessEnv> = {}): Options {
  const { values, positionals } = parse(args)
  const given: Given = values
  const number = (name: keyof typeof MOST, least: number): number | undefined =>
    numberOf(given, name, least, MOST[name])
  const whole = (name: keyof typeof MOST): number | undefined => {
    const value = number(name, 1)
    if (value !== undefined && !Number.isInteger(value)) throw new BenchError(`--${name} is a whole number`)
    return value
  }
  const outside = typeof values.url === 'string'
  const stray = outside ? undefined : OUTSIDE_ONLY.find((name) => given[name] !== undefined)
  if (stray !== undefined) throw new BenchError(`--${stray} is about a server that runs already: it goes with --url`)
  if (outside && values.profile !== undefined) throw new BenchError('--profile is of servers that the bench starts')
  if (outside && values.only !== undefined) throw new BenchError('--only is of servers that the bench starts')
  return {
    names: positionals,
    rounds: whole('rounds') ?? (outside ? 1 : 3),
    only: onlyOf(values.only),
    loaders: whole('loaders') ?? 1,
    json: values.json,
    html: values.html,
    profile: values.profile,
    seed: number('seed', 0) ?? 1,
    keys: whole('keys'),
    minutes: number('minutes', 0.05),
    arrivals: number('arrivals', 0.1),
    outside: outside ? outsideOf(given, environment, whole('sessions'), number('rate', 0.1)) : undefined,
    help: values.help === true,
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], allowPositionals: true, options: OPTIONS })
  } catch (error) {
    // Of Node: "Unknown option '--x'", and advice about positionals that helps nobody here.
    const [said = ''] = (error instanceof Error ? error.message : String(error)).split('. ')
    throw new BenchError(`${said}; --help lists what there is`)
  }
}

function onlyOf(value: string | undefined): 'relay' | 'parley' | undefined {
  if (value === undefined || value === 'relay' || value === 'parley') return value
  throw new BenchError('--only is relay or parley')
}

function numberOf(given: Given, name: keyof typeof MOST, least: number, most: number): number | undefined {
  const text = given[name]
  if (text === undefined) return undefined
  const value = Number(text)
  if (text === '' || !(value >= least) || value > most)
    throw new BenchError(`--${name} is a number from ${least} to ${most}`)
  return value
}

function outsideOf(
  given: Given,
  environment: Readonly<NodeJS.ProcessEnv>,
  sessions: number | undefined,
  rate: number | undefined,
): OutsideOptions {
  const url = URL.canParse(String(given.url)) ? new URL(String(given.url)) : undefined
  const standard = PORTS[url?.protocol ?? '']
  if (url === undefined || standard === undefined)
    throw new BenchError('--url is the server, such as ws://127.0.0.1:8080')
  if (url.pathname !== '/' && url.pathname !== '/ws') throw new BenchError('--url is the server alone; the path is /ws')
  if (url.search !== '' || url.username !== '')
    throw new BenchError('--url takes no query and no credentials: --app and --key')
  const host = url.hostname.replace(/^\[|\]$/g, '')
  if (!isLoopback(host) && given['allow-remote'] !== true)
    throw new BenchError(`${host} is not this machine. --allow-remote loads it all the same: only what is yours`)
  const app = typeof given.app === 'string' ? given.app : 'default'
  const key = typeof given.key === 'string' ? given.key : environment.PARLEY_KEY
  return {
    url: `${url.protocol}//${url.host}`,
    target: {
      host,
      port: url.port === '' ? standard : Number(url.port),
      secure: url.protocol === 'wss:',
      path: `/ws?app=${encodeURIComponent(app)}`,
      headers: key ? { 'AOMI-APP-KEY': key } : {},
      sessionHeader: 'X-Session-Id',
      countsPerSecond: rate ?? COUNTS_PER_SECOND,
    },
    sessions,
  }
}

/** Names of other machines may lead to this one; nobody relies on that here. */
function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host)
}
