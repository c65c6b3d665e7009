import type { App, AppTool } from '../../ports/apps.ts'
import type { ToolSpec } from '../../ports/provider.ts'
import type { PendingCall, StoredToolCall } from '../../ports/store.ts'
import type { Tool, Tools } from '../../ports/tool.ts'
import { parseArguments } from '../../ports/tool-arguments.ts'
import type { WalletKind } from '../../protocol/wallet-calls.ts'
import { refusingTool, WalletNumbers } from './wallet-calls.ts'

/** A tool as a model sees it, and what becomes of its calls: executed here, or left open for whom they wait. */
export type OfferedTool = {
  readonly spec: ToolSpec
  /** Absent: the browser has it. Of a wallet's: what says that the arguments are nothing for one. */
  readonly tool?: Tool
  readonly waitsFor?: PendingCall['kind']
  /** The browser's wallet has it. */
  readonly wallet?: WalletKind
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
    one.kind === 'client' ? [offerThere(one)] : offer(here.get(one.name), one.ask),
  )
  return [...named, ...(app.httpTools ?? []).flatMap(({ name, ask }) => offer(here.get(name), ask))]
}

function offer(tool: Tool | undefined, ask: boolean): OfferedTool[] {
  if (tool === undefined) return []
  return [{ spec: tool.spec, tool, ...(ask ? { waitsFor: 'approval' as const } : {}) }]
}

function offerThere({ spec, wallet }: Extract<AppTool, { kind: 'client' }>): OfferedTool {
  if (wallet === undefined) return { spec, waitsFor: 'client' }
  return { spec, waitsFor: 'client', wallet, tool: refusingTool(spec, wallet) }
}

/** Calls that can be made now, and those that wait; what cannot be read waits for nobody. `position`: of their run. */
export function divide(
  calls: readonly StoredToolCall[],
  offered: readonly OfferedTool[],
  position = 0,
): { readonly now: StoredToolCall[]; readonly pending: PendingCall[] } {
  const now: StoredToolCall[] = []
  const pending: PendingCall[] = []
  const numbers = new WalletNumbers(position)
  for (const call of calls) {
    const { waitsFor: kind, wallet } = offered.find(({ spec }) => spec.name === call.name) ?? {}
    const ids = wallet === undefined ? undefined : numbers.take(wallet, call)
    const isUnfit = wallet !== undefined && ids === undefined
    if (kind === undefined || isUnfit || parseArguments(call.arguments) === undefined) now.push(call)
    else {
      const asked = wallet === undefined || ids === undefined ? {} : { wallet: { kind: wallet, ids } }
      pending.push({ toolCallId: call.id, toolName: call.name, kind, ...asked })
    }
  }
  return { now, pending }
}
