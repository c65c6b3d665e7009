import { planWords, STANDARD_PLAN } from '../admin/plan-words.ts'
import { readConfig } from '../config.ts'
import { NO_PLAN } from '../ports/accounts.ts'
import type { AccountRow } from '../ports/admin-store.ts'
import { AT_HOST } from './admin-of.ts'
import {
  actionOf,
  type CliIo,
  type CliStore,
  type Command,
  type OpenStore,
  printTable,
  readArgs,
  shortTime,
  UsageError,
  withStore,
} from './command.ts'

const HEADING = ['ACCOUNT', 'PLAN', 'APPS', 'KEYS', 'CREATED']
/** Accounts that are read at a time. */
const PAGE = 200

export function accountsCommand(open: OpenStore): Command {
  const actions = { list, set }
  return {
    usage: ['accounts list', `accounts set ACCOUNT --plan NAME|${NO_PLAN}|${STANDARD_PLAN}`],
    about: 'Accounts: how much the keys of one may do together',
    async run([action = '', ...rest], io) {
      await actionOf(actions, action)(rest, io, open)
    },
  }
}

async function list(args: readonly string[], io: CliIo, open: OpenStore): Promise<void> {
  readArgs(args, {}, 0)
  const { access } = readConfig(io.env)
  await withStore(open, io, async ({ admin }) => {
    const rows = await readAll(admin)
    const lines = rows.map((row) => [
      row.id,
      planIn(row, access),
      String(row.apps),
      String(row.keys),
      shortTime(row.createdAt),
    ])
    printTable(io, HEADING, lines, 'There is no account: the first key or App of one makes it')
  })
}

async function readAll(admin: CliStore['admin']): Promise<AccountRow[]> {
  const all: AccountRow[] = []
  for (;;) {
    const page = await admin.accounts(AT_HOST, { limit: PAGE, after: all.at(-1)?.id })
    all.push(...page)
    if (page.length < PAGE) return all
  }
}

function planIn({ plan }: AccountRow, { plans, defaultPlan }: ReturnType<typeof readConfig>['access']): string {
  if (plan === undefined) return `${defaultPlan} (${STANDARD_PLAN})`
  return plan === NO_PLAN || plans.has(plan) ? plan : `${plan} (not in PARLEY_PLANS: ${defaultPlan})`
}

async function set(args: readonly string[], io: CliIo, open: OpenStore): Promise<void> {
  const { values, positionals } = readArgs(args, { plan: { type: 'string' } } as const, 1)
  const [account = ''] = positionals
  const { plan } = values
  const known = planWords(readConfig(io.env).access.plans)
  if (plan === undefined || !known.includes(plan)) throw new UsageError(`--plan: one of ${known.join(', ')}`)
  await withStore(open, io, async ({ admin }) => {
    await admin.setPlan(AT_HOST, account, plan)
    io.out(`Account ${account} has the plan ${plan}; running servers go by it within a second`)
  })
}
