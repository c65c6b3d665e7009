import { countUsage } from '../admin/usage.ts'
import type { AdminStore, UsageRow } from '../ports/admin-store.ts'
import type { AppStore } from '../ports/store.ts'
import { AT_HOST } from './admin-of.ts'
import { type Command, type OpenStore, printTable, readArgs, UsageError, withStore } from './command.ts'
import { noteMissing } from './stored-apps.ts'

const MS_PER_DAY = 86_400_000
/** Days of one answer, as over HTTP. */
const MAX_DAYS = 93
const OPTIONS = {
  days: { type: 'string', default: '30' },
  app: { type: 'string' },
  account: { type: 'string' },
} as const
const HEADING = ['DAY', 'ACCOUNT', 'APP', 'KEY', 'RUNS', 'INPUT', 'OUTPUT', 'CACHED']

/** What `usage` needs of the store. */
export type CliUsage = {
  readonly reads: Pick<AdminStore, 'usage'>
  readonly apps: Pick<AppStore, 'getApp'>
  close(): Promise<void>
}

export function usageCommand(open: OpenStore<CliUsage>): Command {
  return {
    usage: ['usage [--days 30] [--app APP] [--account NAME]'],
    about: 'Runs and tokens by day (UTC), account, App and key, as far as their sessions are stored',
    async run(args, io) {
      const { values } = readArgs(args, OPTIONS, 0)
      const days = Number(values.days)
      if (!Number.isInteger(days) || days < 1 || days > MAX_DAYS) throw new UsageError(`--days: 1 to ${MAX_DAYS}`)
      const { app, account } = values
      const to = (Math.floor(Date.now() / MS_PER_DAY) + 1) * MS_PER_DAY
      await withStore(open, io, async ({ reads, apps }) => {
        await noteMissing(apps, io, app)
        const rows = await countUsage(reads, AT_HOST, { app, account, from: to - days * MS_PER_DAY, to })
        printTable(io, HEADING, rows.map(describe), 'Nothing was used')
      })
    },
  }
}

function describe(row: UsageRow): string[] {
  const { day, account = '-', app, key = '-', runs, inputTokens, outputTokens, cachedInputTokens } = row
  return [day, account, app, key, ...[runs, inputTokens, outputTokens, cachedInputTokens].map(String)]
}
