import type { AccountRow } from '../ports/admin-store.ts'
import { AT_HOST } from './admin-of.ts'
import {
  type CliStore,
  type Command,
  type OpenStore,
  readArgs,
  shortTime,
  table,
  UsageError,
  withStore,
} from './command.ts'

/** Accounts that are read at a time. */
const PAGE = 200

export function accountsCommand(open: OpenStore): Command {
  return {
    usage: ['accounts list'],
    about: 'Accounts, with how many Apps and live keys each has; one is made with its first key or App',
    async run([action, ...args], io) {
      if (action !== 'list') throw new UsageError('only list is known')
      readArgs(args, {}, 0)
      await withStore(open, io, async ({ admin }) => {
        const rows = await readAll(admin)
        if (rows.length === 0) io.err('There is no account')
        else for (const line of table([['ID', 'PLAN', 'APPS', 'KEYS', 'CREATED'], ...rows.map(describe)])) io.out(line)
      })
    },
  }
}

async function readAll(admin: CliStore['admin']): Promise<AccountRow[]> {
  const all: AccountRow[] = []
  for (;;) {
    const after = all.at(-1)?.id
    const page = await admin.accounts(AT_HOST, { limit: PAGE, ...(after === undefined ? {} : { after }) })
    all.push(...page)
    if (page.length < PAGE) return all
  }
}

function describe({ id, plan, apps, keys, createdAt }: AccountRow): string[] {
  return [id, plan, String(apps), String(keys), shortTime(createdAt)]
}
