import { randomUUID } from 'node:crypto'
import type { App } from '../../ports/apps.ts'
import type { Sender, ToolAnswer, ToolAsk } from '../../ports/conversations.ts'
import { ParleyError } from '../../protocol/errors.ts'
import { offeredTools } from '../calls/offered-tools.ts'
import { callTool } from '../calls/tool-calls.ts'
import type { Core } from '../core.ts'

/** Bytes of a result that a program reads: a model's bound would cut its JSON. */
const MAX_RESULT_BYTES = 1024 * 1024

/**
 * A call that no model made. Takes a place among the runs of its sender, first: looking for the tool may already ask the App's MCP
 * servers. What a person has to approve is not called.
 */
export async function callOutsideRun(
  core: Core,
  { principal, from }: Sender,
  app: string,
  ask: ToolAsk,
): Promise<ToolAnswer | undefined> {
  core.access.require(principal, 'write')
  if (core.draining()) throw new ParleyError('draining', { retryAfterMs: core.settings.reconnectMs })
  const definition = await core.apps.get(app)
  if (definition === undefined) throw new ParleyError('app_not_found')
  const release = await core.access.admitRun(principal, from, definition)
  try {
    return await call(core, definition, principal.user, ask)
  } finally {
    release()
  }
}

async function call(
  core: Core,
  app: App,
  user: string | undefined,
  { name, args, signal }: ToolAsk,
): Promise<ToolAnswer | undefined> {
  const offered = (await offeredTools(core.tools, app, signal)).find(({ spec }) => spec.name === name)
  if (offered?.tool === undefined || offered.waitsFor !== undefined) return undefined
  const [toolCallId, runId] = [randomUUID(), randomUUID()]
  const context = { sessionId: runId, app: app.id, runId, toolCallId, signal }
  const outcome = await callTool(
    offered.tool,
    { id: toolCallId, name, arguments: JSON.stringify(args) },
    { ...context, ...(user === undefined ? {} : { user }) },
    { toolDeadlineMs: core.settings.toolDeadlineMs, toolResultBytes: MAX_RESULT_BYTES },
    (cause) => core.telemetry.log('error', 'tool failed', { tool: name }, cause),
  )
  core.telemetry.count('tool_calls_total', 1, outcome.isError ? 'error' : 'ok')
  return { text: outcome.content, isError: outcome.isError }
}
