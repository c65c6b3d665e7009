import { type RetentionRule, readRules, ruleOf } from '../apps/retention.ts'
import { ParleyError } from '../protocol/errors.ts'
import { AT_HOST } from './admin-of.ts'
import {
  type CliConversations,
  type CliIo,
  type Command,
  type OpenStore,
  readArgs,
  shortTime,
  UsageError,
  withStore,
} from './command.ts'
import { confirm, sessionsOf } from './confirm.ts'
import { noteMissing } from './stored-apps.ts'

/** Days: a century. */
const MAX_DAYS = 36_500
const OPTIONS = {
  app: { type: 'string' },
  days: { type: 'string' },
  'dry-run': { type: 'boolean', default: false },
  yes: { type: 'boolean', default: false },
} as const

export function retainCommand(open: OpenStore<CliConversations>): Command {
  return {
    usage: ['retain [--app APP] [--dry-run]', 'retain --app APP --days N [--dry-run] [--yes]'],
    about: "Apply Apps' retention now: delete sessions that nobody wrote to for so long; servers do so by themselves",
    async run(args, io) {
      const { values } = readArgs(args, OPTIONS, 0)
      const days = values.days === undefined ? undefined : readDays(values.days, values.app)
      await withStore(open, io, async (store) => {
        await noteMissing(store.apps, io, values.app)
        const rules = await rulesFor(store, io, values.app, days)
        if (rules.length === 0) return io.err('No App has a retention')
        if (values['dry-run']) return count(store, io, rules)
        if (days !== undefined) await confirm(io, `Delete what nobody wrote to for ${days} days?`, values.yes)
        const done = await store.privacy.alone(() => remove(store, io, rules))
        if (done === undefined)
          throw new ParleyError('conflict', {
            message: 'A server or another command is applying retention just now; try again later',
          })
      })
    },
  }
}

function readDays(text: string, app: string | undefined): number {
  if (app === undefined) throw new UsageError('--days needs --app')
  const days = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN
  if (!(days <= MAX_DAYS)) throw new UsageError(`--days: 0 to ${MAX_DAYS}`)
  return days
}

/** `days` holds in the place of what the App says, and for one that is not stored (any more). */
async function rulesFor(
  { apps }: CliConversations,
  io: CliIo,
  app: string | undefined,
  days: number | undefined,
): Promise<readonly RetentionRule[]> {
  const now = Date.now()
  if (app !== undefined && days !== undefined) return [ruleOf(app, days, now)]
  const rules = await readRules(apps, now, (id) => io.err(`The definition of App ${id} cannot be read; it is left out`))
  const wanted = rules.filter((rule) => app === undefined || rule.app === app)
  if (app !== undefined && wanted.length === 0)
    throw new ParleyError('not_found', { message: `App ${app} has no retention; --days N says one` })
  return wanted
}

async function count({ privacy }: CliConversations, io: CliIo, rules: readonly RetentionRule[]): Promise<void> {
  for (const { app, since } of rules)
    io.out(`${app}: ${sessionsOf(await privacy.countUntouched(app, since))} untouched since ${shortTime(since)} UTC`)
}

async function remove({ privacy, audit }: CliConversations, io: CliIo, rules: readonly RetentionRule[]): Promise<true> {
  for (const { app, since } of rules) {
    const removed = await audit.noted(AT_HOST, 'app.retain', app, () => privacy.removeUntouched(app, since))
    io.out(`${app}: ${sessionsOf(removed)} deleted, untouched since ${shortTime(since)} UTC`)
  }
  return true
}
