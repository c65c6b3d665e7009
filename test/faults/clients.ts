import { MessagesApi } from '../support/messages-api.ts'
import { ParleyProcess } from '../support/parley-process.ts'
import { playCursors } from './clients-cursors.ts'
import { Figures } from './clients-figures.ts'
import { playHalfOpen } from './clients-half-open.ts'
import { playRound, playTabs, type Stage } from './clients-round.ts'
import { Oracle } from './clients-script.ts'
import { playStorm } from './clients-storm.ts'
import type { Fault, FaultOptions, Findings } from './fault.ts'
import { Databases } from './own-database.ts'

/** Model rounds in all. */
const ROUNDS = { short: 4, full: 200 } as const
/** Clients that come back at once, and those that fall silent. */
const STORM = { short: 100, full: 1000 } as const
const SILENT = { short: 10, full: 100 } as const
export const TRANSPORTS = ['ws', 'uws'] as const

/** What `uws` runs with: a log so small that in every answer it merges, and after it keeps little. */
const SMALL_LOG = { PARLEY_LOG_RUN_ENTRIES: '100', PARLEY_LOG_IDLE_ENTRIES: '20' }

/** Clients come and go in every way; none misses anything, none sees anything twice. */
export const clients: Fault = {
  name: 'clients',
  title: 'clients that are cut, go silent, come back, all at once or with any cursor',
  async run(options: FaultOptions): Promise<Findings> {
    const oracle = new Oracle(options.seed)
    const api = await MessagesApi.listen({ script: oracle.reply, record: false })
    const databases = new Databases(options.databaseUrl)
    const figures = new Figures()
    try {
      await Promise.all(
        TRANSPORTS.map(async (transport, nth) => {
          const env = await environment(transport, api.url, databases)
          const server = await ParleyProcess.start(env)
          try {
            const stage: Stage = { server, transport, oracle, seed: options.seed, figures }
            await play(stage, options, nth)
            await playHalfOpen(stage, env, SILENT[options.size])
          } finally {
            await server.dispose()
          }
        }),
      )
    } finally {
      await api.close()
      await databases.drop()
    }
    if (oracle.strangers > 0)
      figures.broken(`seed ${options.seed}`, [`${oracle.strangers} requests that nobody asked for`])
    return { checked: figures.checked, violations: figures.violations }
  },
}

async function play(stage: Stage, { size, count, say }: FaultOptions, nth: number): Promise<void> {
  const rounds = count ?? ROUNDS[size]
  for (let round = nth; round < rounds; round += TRANSPORTS.length) await playRound(stage, round)
  say(`${stage.transport}: model rounds are over`)
  await playTabs(stage)
  await playCursors(stage)
  for (const jitter of [true, false]) say(await playStorm(stage, STORM[size], jitter))
}

/** A server whose model is the stub at `apiUrl`. */
export async function environment(
  transport: (typeof TRANSPORTS)[number],
  apiUrl: string,
  databases: Databases,
): Promise<Record<string, string>> {
  return {
    PARLEY_TRANSPORT: transport,
    ANTHROPIC_API_KEY: 'sk-ant-fault',
    ANTHROPIC_BASE_URL: apiUrl,
    PARLEY_MODEL: 'anthropic/claude-stub',
    PARLEY_TITLES: 'off',
    LOG_LEVEL: 'warn',
    ...(transport === 'uws' ? SMALL_LOG : {}),
    ...(await databases.env()),
  }
}
