import type { BoundWallet, SessionRow } from '../../ports/store.ts'
import type { SessionUpdate } from '../../protocol/commands.ts'
import { ParleyError } from '../../protocol/errors.ts'
import type { Caller, Outcome } from '../connection/caller.ts'
import { changeRecord } from '../session/renew.ts'
import { toWireWallet } from '../session/session-row.ts'

/** `proven` comes from within only: the wire has no such field. */
type Change = Omit<SessionUpdate, 'wallet'> & { readonly wallet?: BoundWallet | null | undefined }

/** Title (a person's, so no model changes it any more), wallet binding, and the choice among the App's models. */
export async function sessionUpdate(
  { session, app }: Pick<Caller, 'session' | 'app'>,
  command: Change,
): Promise<Outcome> {
  if (command.model !== undefined && !app.model.allowed.includes(command.model)) {
    throw new ParleyError('invalid_value', { message: 'model: not one of those that this App allows' })
  }
  if (command.wallet && app.aomi?.walletProof === true && command.wallet.proven !== true)
    throw new ParleyError('forbidden', {
      message: 'This App binds a wallet by a signature: POST /api/wallet/challenge',
    })
  const { title, wallet, model } = command
  const changes: Partial<SessionRow> = {
    ...(title === undefined ? {} : { title, titleBy: 'person' }),
    ...(wallet === undefined ? {} : { wallet: wallet ?? undefined }),
    ...(model === undefined ? {} : { model }),
  }
  if (Object.keys(changes).length === 0) return { ack: {} }
  await changeRecord(session, changes)
  session.announce({
    type: 'session.updated',
    ...(title === undefined ? {} : { title }),
    ...(wallet === undefined ? {} : { wallet: wallet && toWireWallet(wallet) }),
    ...(model === undefined ? {} : { model }),
  })
  return { ack: {} }
}
