import { createHash } from 'node:crypto'
import type { Principal } from '../../ports/access.ts'
import type { Conversation } from '../../ports/conversations.ts'
import { SESSION_VAULT, type Vault } from '../../ports/vault.ts'

/**
 * Names the vault of one client of an account, or of a visitor. A digest: the store does not hold the id, which is all that a
 * visitor proves.
 */
export function vaultOfClient({ account = '' }: Pick<Principal, 'account'>, clientId: string): string {
  return digest('client', account, clientId)
}

/** Of a session whose client never said who it is. It goes with the session, as the store knows by this name. */
export function vaultOfSession(sessionId: string): string {
  return SESSION_VAULT + sessionId
}

function digest(...parts: readonly string[]): string {
  return createHash('sha256').update(parts.join('\0')).digest('base64url')
}

/**
 * The vault for the runs of a session: that of the client that sent to it last, else what was left for the session itself. Empty:
 * neither holds anything.
 */
export async function vaultFor(
  vault: Vault,
  conversation: Conversation,
  principal: Principal,
  clientId: string,
): Promise<string> {
  const own = clientId === '' ? [] : [vaultOfClient(principal, clientId)]
  const choices = [...own, vaultOfSession(conversation.id)]
  const holding = await vault.holding(choices)
  return choices.find((choice) => holding.includes(choice)) ?? ''
}

/** Saved only where it is another one than before. */
export async function setVault(conversation: Conversation, vault: string): Promise<void> {
  if ((conversation.record.vault ?? '') === vault) return
  if (!conversation.stored) await conversation.make()
  await conversation.update({ vault })
}
