import type { Conversation } from '../../ports/conversations.ts'
import type { Wallet } from '../../protocol/messages.ts'

/** Null unbinds, undefined leaves it. Saved only where it is another one than before. */
export async function bindWallet(conversation: Conversation, wallet: Wallet | null | undefined): Promise<void> {
  const bound = conversation.record.wallet
  const isSame = bound?.address === wallet?.address && bound?.chain === wallet?.chain
  if (wallet !== undefined && !isSame) await conversation.update({ wallet })
}
