import type { ActRow } from '../ports/audit.ts'
import { AT_HOST } from './admin-of.ts'
import { type Command, type OpenStore, printTable, readArgs, UsageError, withStore } from './command.ts'

const OPTIONS = { limit: { type: 'string', default: '50' }, before: { type: 'string' } } as const
/** Acts in one list. */
const MAX_LIMIT = 1000
const HEADING = ['ID', 'TIME', 'ACTOR', 'ACCOUNT', 'ACT', 'TARGET', 'OUTCOME', 'ADDRESS']

export function auditCommand(open: OpenStore): Command {
  return {
    usage: ['audit [--limit 50] [--before ID]'],
    about: 'Who changed Apps and keys, or opened what people wrote, here and over HTTP; the newest first',
    async run(args, io) {
      const { values } = readArgs(args, OPTIONS, 0)
      const limit = Number(values.limit)
      if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LIMIT) throw new UsageError(`--limit: 1 to ${MAX_LIMIT}`)
      const { before } = values
      if (before !== undefined && !/^\d{1,18}$/.test(before)) throw new UsageError('--before: the id of an act')
      await withStore(open, io, async ({ admin }) => {
        const acts = await admin.acts(AT_HOST, { limit, before })
        printTable(io, HEADING, acts.map(describe), 'No act is noted')
      })
    },
  }
}

function describe({ id, at, actor, account, act, target, outcome, address }: ActRow): string[] {
  const time = new Date(at).toISOString().slice(0, 19).replace('T', ' ')
  return [id, time, actor, account ?? '-', act, target, outcome, address ?? '-']
}
