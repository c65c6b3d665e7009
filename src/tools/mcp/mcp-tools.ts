import type { McpServer } from '../../ports/apps.ts'
import { type ListedTool, type Listing, type Tool, type ToolContext, ToolError } from '../../ports/tool.ts'
import { Calls } from '../http/calls.ts'
import { withDeadline } from '../http/deadline.ts'
import { Guard } from '../http/guard.ts'
import type { HttpToolSettings } from '../http/http-tool.ts'
import { type Lookup, systemLookup } from '../http/lookups.ts'
import type { McpTools } from '../registry.ts'
import { SessionGone } from './failures.ts'
import type { Found } from './listing.ts'
import { Absent, Pool, type PoolParts } from './pool.ts'
import { toText } from './results.ts'
import type { McpSession } from './session.ts'

/** Tools that providers take, of all kinds. */
const MAX_OFFERED = 128
/** Milliseconds that an answer waits for the tools of its App: a person waits, and does without. */
const WAIT_MS = 5000
/** Calls of one process at once. */
const MAX_CALLS = 200

export type McpSettings = HttpToolSettings & Pick<PoolParts, 'programs' | 'processes' | 'idleMs' | 'telemetry'>

/** Tools of the MCP servers that Apps name, under the operator's rules. `lookup`: the system's resolver. */
export function createMcpTools({ hosts, ...parts }: McpSettings, lookup: Lookup = systemLookup): McpTools {
  return new Servers({ ...parts, guard: new Guard(hosts, lookup) })
}

class Servers implements McpTools {
  readonly #pool: Pool
  readonly #telemetry: PoolParts['telemetry']
  readonly #calls = new Calls(MAX_CALLS)

  constructor(parts: PoolParts) {
    this.#pool = new Pool(parts)
    this.#telemetry = parts.telemetry
    parts.telemetry.gauge('mcp_connections', () => this.#pool.size)
  }

  async listed(
    { id, mcp = [] }: Listing,
    taken: readonly string[],
    signal: AbortSignal,
  ): Promise<readonly ListedTool[]> {
    const lists = await Promise.all(
      mcp.map(async (server) => {
        const found = await this.#found(id, server, signal)
        return found.map((one) => this.#toTool(id, server, one))
      }),
    )
    const names = new Set(taken)
    const free = lists.flat().filter(({ tool: { spec } }) => names.size < names.add(spec.name).size)
    const room = Math.max(0, MAX_OFFERED - taken.length)
    const left = lists.flat().length - Math.min(free.length, room)
    if (left > 0) this.#telemetry.log('warn', 'mcp tools left out', { app: id, tools: left })
    return free.slice(0, room)
  }

  changed(appId: string): void {
    this.#pool.retire(appId)
  }

  close(): Promise<void> {
    return this.#pool.close()
  }

  /** None of a server that is not there: the answer does without them. */
  async #found(app: string, server: McpServer, signal: AbortSignal): Promise<readonly Found[]> {
    const late = new ToolError('The server did not tell its tools in time.')
    try {
      return await withDeadline(WAIT_MS, late, signal, () =>
        this.#inSession(app, server, signal, (session) => session.tools()),
      )
    } catch (thrown) {
      if (signal.aborted) return []
      const reason = thrown instanceof Absent ? thrown.reason : thrown === late ? 'late' : 'unreachable'
      this.#telemetry.count('mcp_absent_total', 1, reason)
      this.#telemetry.log('warn', 'mcp server absent', { app, server: server.name, reason }, thrown)
      return []
    }
  }

  #toTool(app: string, server: McpServer, { spec, name }: Found): ListedTool {
    const ask = typeof server.ask === 'boolean' ? server.ask : server.ask.includes(name)
    const tool: Tool = { spec, execute: (args, context) => this.#call(app, server, name, args, context) }
    return { tool, ask }
  }

  #call(app: string, server: McpServer, name: string, args: unknown, context: ToolContext): Promise<string> {
    const late = new ToolError('The server of this tool was not ready in time.')
    return this.#calls.count(app, () =>
      withDeadline(server.timeoutMs + WAIT_MS, late, context.signal, (signal) =>
        this.#inSession(app, server, signal, async (session) =>
          toText(await session.call(name, { ...Object(args) }, metaOf(server, context), signal), session.clean),
        ),
      ),
    )
  }

  /** Done again in a new session when the server has forgotten the one that there was: it did nothing then. */
  async #inSession<T>(
    app: string,
    server: McpServer,
    signal: AbortSignal,
    work: (session: McpSession) => Promise<T>,
  ): Promise<T> {
    const session = await this.#pool.get(app, server)
    try {
      return await work(session)
    } catch (thrown) {
      if (!(thrown instanceof SessionGone) || signal.aborted) throw thrown
      return work(await this.#pool.get(app, server))
    }
  }
}

/** What of the session the App's definition lets the server know; nothing of it comes from the model. */
function metaOf({ context }: McpServer, { user, wallet }: ToolContext): Readonly<Record<string, unknown>> {
  return {
    ...(context.includes('user') && user !== undefined ? { 'parley/user': user } : {}),
    ...(context.includes('wallet') && wallet !== undefined ? { 'parley/wallet': wallet } : {}),
  }
}
