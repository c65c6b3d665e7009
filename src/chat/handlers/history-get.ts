import type { HistoryGet } from '../../protocol/commands.ts'
import { MAX_OUTBOUND_FRAME_BYTES } from '../../protocol/limits.ts'
import type { Outcome } from '../connection/caller.ts'
import type { Session } from '../session/session.ts'
import { toPage } from '../session/wire-messages.ts'

/** One page of the conversation, oldest first, that ends before the named message or at the newest. */
export async function historyGet(session: Session, command: HistoryGet): Promise<Outcome> {
  if (!session.stored) return { ack: { messages: [], hasMore: false } }
  const query = { maxMessages: command.limit, maxBytes: MAX_OUTBOUND_FRAME_BYTES }
  const before = command.before === undefined ? {} : { before: command.before }
  const page = await session.core.store.history(session.id, { ...query, ...before })
  return { ack: toPage(page.messages, page.hasMore, command.limit) }
}
