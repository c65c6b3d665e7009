import { Dice } from '../support/dice.ts'
import { freePort } from '../support/free-port.ts'
import { MessagesApi } from '../support/messages-api.ts'
import { ParleyProcess } from '../support/parley-process.ts'
import { TRANSPORTS } from '../support/transports.ts'
import type { Fault, FaultOptions, Findings } from './fault.ts'
import { Databases, type OwnDatabase } from './own-database.ts'
import { CANARY, leaks } from './upstream-canaries.ts'
import { casesOf } from './upstream-cases.ts'
import { Conversation } from './upstream-conversation.ts'
import { checkDeadPort } from './upstream-dead-port.ts'
import { Script } from './upstream-script.ts'

/**
 * Seconds of silence and of a run. An overloaded API that names no time is asked again after 5 s: in the short form the
 * silence has room for one such wait, in the full one for both.
 */
const BOUNDS = {
  short: { stall: 8, run: 11, tries: 2 },
  full: { stall: 12, run: 14, tries: 3 },
} as const
/** Conversations at a time: enough for all that wait for a deadline to wait together. */
const AT_ONCE = 100

/** Upstream trouble: the Messages API stalls, breaks off, refuses, lies and floods. */
export const upstream: Fault = {
  name: 'upstream',
  title: 'the model stalls, breaks off, refuses, talks garbage or never ends',
  async run(options) {
    const databases = new Databases(options.databaseUrl)
    const script = new Script()
    const api = await MessagesApi.listen({ ...script.options, port: await freePort() })
    const own = await databases.env()
    const server = await ParleyProcess.start({ ...envOf(options, api), ...own })
    try {
      const database = await databases.open(server, own)
      try {
        return await play(options, { server, api, script, database })
      } finally {
        await database.close()
      }
    } finally {
      await server.dispose()
      await api.close()
      await databases.drop()
    }
  },
}

type World = {
  readonly server: ParleyProcess
  readonly api: MessagesApi
  readonly script: Script
  readonly database: OwnDatabase
}

function envOf({ seed, size }: FaultOptions, api: MessagesApi): Record<string, string> {
  return {
    ANTHROPIC_API_KEY: CANARY.key,
    ANTHROPIC_BASE_URL: api.url,
    PARLEY_MODEL: 'anthropic/claude-stub',
    PARLEY_TRANSPORT: TRANSPORTS[seed % TRANSPORTS.length] ?? 'ws',
    PARLEY_PROVIDER_STALL: `${BOUNDS[size].stall}s`,
    PARLEY_RUN_TIME: `${BOUNDS[size].run}s`,
    // A title is a request of its own: requests are counted here.
    PARLEY_TITLES: 'off',
    LOG_LEVEL: 'debug',
  }
}

async function play(options: FaultOptions, { server, api, script, database }: World): Promise<Findings> {
  const cases = casesOf(new Dice(options.seed), options.size, BOUNDS[options.size].tries)
  const port = Number(new URL(server.url).port)
  const conversations = cases.map((one, index) => new Conversation(one, `case-${index}.`, script, port))
  options.say(`${cases.length} ways, on ${TRANSPORTS[options.seed % TRANSPORTS.length]}`)
  for (let at = 0; at < conversations.length; at += AT_ONCE)
    await Promise.all(conversations.slice(at, at + AT_ONCE).map((one) => one.play()))
  const violations = conversations.flatMap((one) => one.violations)
  for (const one of conversations) violations.push(...(await one.compare(database.sql)))
  violations.push(...(await compareTokens(server, conversations)))
  if (api.open !== 0) violations.push(`${api.open} requests are still open upstream`)
  const { host } = new URL(api.url)
  const dead = await checkDeadPort(port, api, script)
  violations.push(...dead.violations)
  const rows = await database.sql<{ row: string }[]>`
    select to_jsonb(s)::text as row from sessions s union all select to_jsonb(r)::text from runs r
    union all select to_jsonb(m)::text from messages m union all select to_jsonb(c)::text from changes c`
  const frames = [...conversations.flatMap((one) => one.frames), ...dead.frames]
  const places = { frames, log: server.said, rows: rows.map(({ row }) => row), upstream: host }
  violations.push(...leaks(places))
  return {
    checked: {
      'ways to fail': cases.length + dead.ways,
      runs: conversations.reduce((sum, one) => sum + one.runs, 0) + dead.runs,
      'requests upstream': script.count,
      'terminal events': conversations.reduce((sum, one) => sum + one.terminals, 0),
      'characters of partial answers kept': conversations.reduce((sum, one) => sum + one.kept, 0),
      'frames, rows and log lines searched for canaries': frames.length + rows.length + server.said.length,
    },
    violations,
  }
}

/** The server's own count of tokens is what the API told, each request once. */
async function compareTokens(server: ParleyProcess, conversations: readonly Conversation[]): Promise<string[]> {
  const metrics = await (await fetch(`${server.url}/metrics`)).text()
  return (['input', 'output'] as const).flatMap((direction) => {
    const told = conversations.reduce((sum, one) => sum + one.tokens[direction], 0)
    const [, text] =
      new RegExp(`^parley_model_tokens_total\\{direction="${direction}"\\} (\\d+)$`, 'm').exec(metrics) ?? []
    return Number(text) === told ? [] : [`${direction} tokens: the API told ${told}, the server counted ${text}`]
  })
}
