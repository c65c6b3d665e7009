import type { SessionRow, SessionWrite } from '../../ports/store.ts'
import type { Wallet } from '../../protocol/messages.ts'

/** `row` for a session that exists: what this process did not set is another's to keep. Without the wallet: unbound, if it was set. */
export function touched(row: SessionRow, changes: Partial<SessionRow>): Pick<SessionWrite, 'session' | 'known'> {
  const { title: _title, titleBy: _by, wallet: _wallet, model: _model, archived: _archived, ...others } = row
  const { vault: _vault, ...rest } = others
  const wallet = Object.hasOwn(changes, 'wallet') && changes.wallet === undefined ? { wallet: null } : {}
  return { session: { ...rest, ...changes, updatedAt: row.updatedAt, ...wallet }, known: true }
}

/** As clients are told of it. */
export function toWireWallet({ address, chain }: Wallet): Wallet {
  return { address, chain }
}

/** The values that `row` has under the keys of `changes`, absent ones as undefined so that a spread takes them back. */
export function pick(row: SessionRow, changes: Partial<SessionRow>): Partial<SessionRow> {
  return Object.fromEntries(
    Object.keys(changes).map((key) => [key, Object.entries(row).find(([name]) => name === key)?.[1]]),
  )
}

/** What people set, and when it was made: of two processes that made it at once, only one did. */
export function setElsewhere(row: SessionRow): Pick<SessionRow, 'createdAt'> & Partial<SessionRow> {
  const { title, titleBy, wallet, model, archived, vault, createdAt } = row
  return { title, titleBy, wallet, model, archived, vault, createdAt }
}
