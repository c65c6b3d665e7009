import { MessagesApi } from '../support/messages-api.ts'
import { TRANSPORTS, type TransportName } from '../support/transports.ts'
import { allSettled } from './both-transports.ts'
import { Figures } from './clients-figures.ts'
import type { Stage } from './clients-round.ts'
import { Oracle } from './clients-script.ts'
import { type FaultOptions, type Findings } from './fault.ts'
import { Databases } from './own-database.ts'

/** What `uws` runs with: a log so small that in every answer it merges, and after it keeps little. */
const SMALL_LOG = { PARLEY_LOG_RUN_ENTRIES: '100', PARLEY_LOG_IDLE_ENTRIES: '20' }

/** One transport's part of a fault in which people talk with the model: its play starts the server, with this environment. */
export type Talk = {
  readonly part: Omit<Stage, 'server'>
  readonly env: Readonly<Record<string, string>>
  /** 0 or 1: which transport's part it is. */
  readonly nth: number
}

/** Plays on both transports at once, with a stub of the model that says what the seed's script has. */
export async function onBothTalks(
  { seed, databaseUrl }: FaultOptions,
  play: (talk: Talk) => Promise<void>,
): Promise<Findings> {
  const oracle = new Oracle(seed)
  const api = await MessagesApi.listen({ script: oracle.reply, record: false })
  const databases = new Databases(databaseUrl)
  const figures = new Figures()
  try {
    await allSettled(
      TRANSPORTS.map(async (transport, nth) => {
        const env = { ...environment(transport, api.url), ...(await databases.env()) }
        await play({ part: { transport, oracle, seed, figures }, env, nth })
      }),
    )
  } finally {
    await api.close()
    await databases.drop()
  }
  if (oracle.strangers > 0) figures.broken(`seed ${seed}`, [`${oracle.strangers} requests that nobody asked for`])
  return { checked: figures.checked, violations: figures.violations }
}

/** A server whose model is the stub at `apiUrl`. */
function environment(transport: TransportName, apiUrl: string): Record<string, string> {
  return {
    PARLEY_TRANSPORT: transport,
    ANTHROPIC_API_KEY: 'sk-ant-fault',
    ANTHROPIC_BASE_URL: apiUrl,
    PARLEY_MODEL: 'anthropic/claude-stub',
    PARLEY_TITLES: 'off',
    LOG_LEVEL: 'warn',
    ...(transport === 'uws' ? SMALL_LOG : {}),
  }
}
