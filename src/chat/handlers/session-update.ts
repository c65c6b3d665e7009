import type { SessionRow } from '../../ports/store.ts'
import type { SessionUpdate } from '../../protocol/commands.ts'
import { ParleyError } from '../../protocol/errors.ts'
import type { Caller, Outcome } from '../caller.ts'
import { reconcile } from '../recover.ts'

/** Title (a person's, so no model changes it any more), wallet binding, and the choice among the App's models. */
export async function sessionUpdate(
  { session, app }: Pick<Caller, 'session' | 'app'>,
  command: SessionUpdate,
): Promise<Outcome> {
  if (command.model !== undefined && !app.model.allowed.includes(command.model)) {
    throw new ParleyError('invalid_value', { message: 'model: not one of those that this App allows' })
  }
  const { title, wallet, model } = command
  const changes: Partial<SessionRow> = {
    ...(title === undefined ? {} : { title, titleBy: 'person' }),
    ...(wallet === undefined ? {} : { wallet: wallet ?? undefined }),
    ...(model === undefined ? {} : { model }),
  }
  if (Object.keys(changes).length === 0) return { ack: {} }
  await session.exclusive(async () => {
    // The whole row is written: not over a status that only the store knows.
    await reconcile(session)
    await session.change(changes, {}, session.core.settings.storeGiveUpMs)
  })
  session.announce({
    type: 'session.updated',
    ...(title === undefined ? {} : { title }),
    ...(wallet === undefined ? {} : { wallet }),
    ...(model === undefined ? {} : { model }),
  })
  return { ack: {} }
}
