import type { MessageRow, PendingCall, SessionRow, StoredToolCall } from '../../ports/store.ts'
import type { Revealable } from '../../ports/vault.ts'
import { toStorable } from '../../protocol/text.ts'
import type { Core } from '../core.ts'
import type { OfferedTool } from './offered-tools.ts'
import { ownSecret } from './own-secrets.ts'
import { callTool, type ToolOutcome } from './tool-calls.ts'

/** What the calls of one answer need of their run. */
export interface ToolHost {
  readonly core: Core
  readonly session: SessionRow
  readonly sessionId: string
  readonly runId: string
  readonly signal: AbortSignal
  nextIndex(): number
  /** The end is decided: results that come now are not the run's any more. */
  readonly ended: boolean
  /** Makes a result durable, then shows it. */
  settle(row: MessageRow): Promise<void>
}

/** Executes the calls of one answer side by side; each result is durable before it is shown (I3). */
export async function runCalls(
  host: ToolHost,
  calls: readonly StoredToolCall[],
  offered: readonly OfferedTool[],
): Promise<void> {
  await Promise.all(
    calls.map(async (call) => {
      const outcome = await outcomeOfCall(host, call, offered)
      if (!host.ended) await host.settle(resultRow(host, call.id, outcome))
    }),
  )
}

/** Makes one call; never throws. */
export async function outcomeOfCall(
  host: ToolHost,
  call: StoredToolCall,
  offered: readonly OfferedTool[],
): Promise<ToolOutcome> {
  const { telemetry, settings } = host.core
  const { id: sessionId, app, user, wallet } = host.session
  const who = { ...(user === undefined ? {} : { user }), ...(wallet === undefined ? {} : { wallet }) }
  const own = (name: string): Promise<Revealable | undefined> => ownSecret(host.core, host.session, name)
  const context = { sessionId, app, runId: host.runId, toolCallId: call.id, signal: host.signal, own, ...who }
  const tool = offered.find(({ spec }) => spec.name === call.name)?.tool
  const outcome = await callTool(tool, call, context, settings, (cause) =>
    telemetry.log('error', 'tool failed', { tool: call.name }, cause),
  )
  if (!host.ended) telemetry.count('tool_calls_total', 1, outcome.isError ? 'error' : 'ok')
  return outcome
}

/** Whose run a result belongs to, and its next place there. */
export type ResultOwner = Pick<ToolHost, 'core' | 'runId' | 'nextIndex'> & { readonly sessionId: string }

/** A call's result as a row of its run. */
export function resultRow(owner: ResultOwner, toolCallId: string, outcome: ToolOutcome): MessageRow {
  const { core, sessionId, runId } = owner
  const index = owner.nextIndex()
  const base = { id: `${runId}-${index}`, sessionId, runId, index }
  const error = outcome.isError ? { isError: true } : {}
  return {
    ...base,
    role: 'tool',
    content: toStorable(outcome.content),
    toolCallId,
    ...error,
    createdAt: core.now(),
  }
}

/** Calls among `rows` that have no result there and wait for none. */
export function callsWithoutResult(rows: readonly MessageRow[], pending: readonly PendingCall[]): StoredToolCall[] {
  const answered = new Set([...rows, ...pending].map(({ toolCallId }) => toolCallId))
  return rows.flatMap(({ toolCalls = [] }) => toolCalls).filter((call) => !answered.has(call.id))
}
