import type { App } from '../ports/apps.ts'
import type { ToolSpec } from '../ports/provider.ts'
import type { PendingCall, StoredToolCall } from '../ports/store.ts'
import type { Tool, Tools } from '../ports/tool.ts'
import { parseArguments } from './context.ts'

/** A tool as a model sees it, and what becomes of its calls: executed here, or left open for whom they wait. */
export type OfferedTool = {
  readonly spec: ToolSpec
  /** Absent: the browser has it. */
  readonly tool?: Tool
  readonly waitsFor?: PendingCall['kind']
}

/** With those that the App's MCP servers have at this moment. */
export async function offeredTools(tools: Tools, app: App, signal: AbortSignal): Promise<OfferedTool[]> {
  const own = ownTools(tools, app)
  if (app.mcp === undefined) return own
  const listed = await tools.listed(app, signal)
  return [...own, ...listed.flatMap(({ tool, ask }) => offer(tool, ask))]
}

/** In the App's order; names that the server does not know are left out. */
function ownTools(tools: Tools, app: App): OfferedTool[] {
  const here = new Map(tools.resolve(app).map((tool) => [tool.spec.name, tool]))
  const named = app.tools.flatMap((one): OfferedTool[] =>
    one.kind === 'client' ? [{ spec: one.spec, waitsFor: 'client' }] : offer(here.get(one.name), one.ask),
  )
  return [...named, ...(app.httpTools ?? []).flatMap(({ name, ask }) => offer(here.get(name), ask))]
}

function offer(tool: Tool | undefined, ask: boolean): OfferedTool[] {
  if (tool === undefined) return []
  return [{ spec: tool.spec, tool, ...(ask ? { waitsFor: 'approval' as const } : {}) }]
}

/** Calls that can be made now, and those that wait; what cannot be read waits for nobody. */
export function divide(
  calls: readonly StoredToolCall[],
  offered: readonly OfferedTool[],
): { readonly now: StoredToolCall[]; readonly pending: PendingCall[] } {
  const now: StoredToolCall[] = []
  const pending: PendingCall[] = []
  for (const call of calls) {
    const kind = offered.find(({ spec }) => spec.name === call.name)?.waitsFor
    if (kind === undefined || parseArguments(call.arguments) === undefined) now.push(call)
    else pending.push({ toolCallId: call.id, toolName: call.name, kind })
  }
  return { now, pending }
}
