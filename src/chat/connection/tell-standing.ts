import type { CommandType } from '../../protocol/commands.ts'
import type { Core } from '../core.ts'
import type { Attached } from './attached.ts'

/** Commands that count against a plan: what starts an answer or changes something. A stop never does. */
const CHARGED: ReadonlySet<CommandType> = new Set([
  'message.send',
  'run.retry',
  'run.resume',
  'tool.result',
  'session.update',
])

/** P-89: who sent a command that counts is told where its account stands, where a plan limits it. */
export async function tellStanding({ access }: Core, peer: Attached, type: CommandType): Promise<void> {
  if (!CHARGED.has(type)) return
  const standing = await access.standing(peer.caller.principal)
  if (standing !== undefined) peer.tell({ type: 'rate_limit', ...standing })
}
