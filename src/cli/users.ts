import { DEFAULT_ACCOUNT } from '../ports/accounts.ts'
import type { UserOwner } from '../ports/sessions.ts'
import { AT_HOST } from './admin-of.ts'
import { type CliConversations, type Command, type OpenStore, readArgs, UsageError, withStore } from './command.ts'
import { confirm, sessionsOf } from './confirm.ts'
import { noteMissing } from './stored-apps.ts'

/** Sessions that are read at once. */
const PAGE = 100
const OPTIONS = {
  app: { type: 'string' },
  account: { type: 'string', default: DEFAULT_ACCOUNT },
  yes: { type: 'boolean', default: false },
} as const

export function usersCommand(open: OpenStore<CliConversations>): Command {
  return {
    usage: ['users delete USER --app APP [--account NAME] [--yes]'],
    about: 'Users, as the servers that mint tickets name them: delete all that an App has of one',
    async run([action, ...rest], io) {
      if (action !== 'delete') throw new UsageError('which of delete?')
      const { values, positionals } = readArgs(rest, OPTIONS, 1)
      const [user = ''] = positionals
      const { app, account, yes } = values
      if (app === undefined || user === '') throw new UsageError('whose data? name a user and --app')
      const question = `Delete all sessions of user ${user} of account ${account} in App ${app}?`
      await withStore(open, io, async (store) => {
        await noteMissing(store.apps, io, app)
        await confirm(io, question, yes)
        const deleted = await store.audit.noted(AT_HOST, 'user.delete', app, () =>
          deleteAll(store, { app, account, user }),
        )
        io.out(`${sessionsOf(deleted)} of user ${user} deleted; running servers have dropped them within a second`)
      })
    },
  }
}

/** Until nothing is left: what comes to be meanwhile is deleted, or is new. */
async function deleteAll({ sessions }: CliConversations, owner: UserOwner): Promise<number> {
  for (let deleted = 0; ; ) {
    const page = await sessions.list(owner, PAGE)
    if (page.length === 0) return deleted
    for (const { id } of page) if (await sessions.delete(id)) deleted++
  }
}
