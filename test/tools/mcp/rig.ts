import { randomUUID } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import { onTestFinished } from 'vitest'
import { buildApp, parseDefinition } from '../../../src/apps/definition.ts'
import type { App } from '../../../src/ports/apps.ts'
import type { LogFields, Telemetry } from '../../../src/ports/telemetry.ts'
import { type ListedTool, ToolError } from '../../../src/ports/tool.ts'
import { createMcpTools, type McpSettings } from '../../../src/tools/mcp/mcp-tools.ts'
import { createTools } from '../../../src/tools/registry.ts'
import { createWorld } from '../../support/mcp-world.mjs'
import { type Answer, type Service, serve } from '../http/service.ts'
import { CONTEXT } from '../run.ts'

const PROGRAM = fileURLToPath(new URL('../../support/mcp-program.mjs', import.meta.url))
const SIGNAL = new AbortController().signal

type WorldOptions = NonNullable<Parameters<typeof createWorld>[0]>
export type Line = { readonly event: string; readonly fields: LogFields; readonly cause: unknown }

/** The operator's entry of the world as a program. */
export function programOf(options: WorldOptions = {}, env: Readonly<Record<string, string>> = {}) {
  return { command: process.execPath, args: [PROGRAM, JSON.stringify(options)], env }
}

export type RigOptions = {
  readonly programs?: Readonly<Record<string, ReturnType<typeof programOf> & { readonly apps?: readonly string[] }>>
  readonly hosts?: readonly string[]
  readonly names?: Readonly<Record<string, readonly string[]>>
  readonly secrets?: Readonly<Record<string, string>>
  readonly settings?: Partial<Pick<McpSettings, 'processes' | 'idleMs'>>
}

export function appOf(
  mcp: readonly Readonly<Record<string, unknown>>[],
  more: Readonly<Record<string, unknown>> = {},
): App {
  const base = { id: 'shop', name: 'Shop', preamble: '', model: { default: 'scripted/demo' } }
  return buildApp(parseDefinition({ ...base, mcp, ...more }), { maxOutputTokens: 1, contextTokens: 1 })
}

/** Everything between an App and its MCP servers, as a server has it. */
export class McpRig {
  readonly lines: Line[] = []
  readonly absent: string[] = []
  readonly mcp: ReturnType<typeof createMcpTools>
  #connections: () => number = () => 0

  constructor({ programs = {}, hosts = [], names = {}, secrets = {}, settings = {} }: RigOptions) {
    const telemetry: Telemetry = {
      log: (_level, event, fields = {}, cause) => this.lines.push({ event, fields, cause }),
      count: (metric, _by, label = '') => metric === 'mcp_absent_total' && this.absent.push(label),
      observe: () => undefined,
      gauge: (_metric, read) => {
        this.#connections = read
      },
    }
    const lookup = async (name: string): Promise<readonly string[]> => {
      const addresses = names[name]
      if (addresses === undefined) throw new Error('not found')
      return addresses
    }
    const entries = Object.entries(secrets).map(([name, value]) => [name, { reveal: () => value }] as const)
    const own = { hosts, programs: new Map(Object.entries(programs)), secrets: new Map(entries), telemetry }
    this.mcp = createMcpTools({ processes: 8, idleMs: 60_000, ...settings, ...own }, lookup)
    onTestFinished(() => this.mcp.close(), 20_000)
  }

  get connections(): number {
    return this.#connections()
  }

  listed(app: App, signal: AbortSignal = SIGNAL): Promise<readonly ListedTool[]> {
    return createTools([], undefined, this.mcp).listed(app, signal)
  }

  async names(app: App): Promise<string[]> {
    return (await this.listed(app)).map(({ tool }) => tool.spec.name)
  }

  async tool(app: App, name: string) {
    const found = (await this.listed(app)).find(({ tool }) => tool.spec.name === name)
    if (found === undefined) throw new Error(`no tool ${name}`, { cause: this.lines.at(-1)?.cause })
    return found.tool
  }

  async call(app: App, name: string, args: unknown = {}, signal: AbortSignal = SIGNAL): Promise<string> {
    return (await this.tool(app, name)).execute(args, { ...CONTEXT, signal })
  }

  /** What the model is told of a call that fails. */
  async refusal(app: App, name: string, args: unknown = {}): Promise<string> {
    const thrown: unknown = await this.call(app, name, args).catch((error: unknown) => error)
    if (thrown instanceof ToolError) return thrown.message
    throw new Error('is not told to the model', { cause: thrown })
  }

  /** What the processes said on their standard error. */
  get said(): string {
    return this.lines.flatMap(({ event, fields }) => (event === 'mcp server said' ? [fields['line']] : [])).join('\n')
  }

  /** The code of the newest absence, which is the operator's. */
  get absenceCode(): unknown {
    const cause = this.lines.findLast(({ event }) => event === 'mcp server absent')?.cause
    return cause instanceof Error && 'code' in cause ? cause.code : undefined
  }
}

export type HttpWorld = Service & {
  readonly url: string
  /** Forgets all sessions, as a server does that is started anew. */
  forget(): void
  /** Sessions that were ended by their client. */
  readonly left: string[]
}

/** The world over HTTP on loopback. `before`: answers a request in its stead when it returns true. */
export async function serveWorld(
  options: WorldOptions & { readonly json?: boolean } = {},
  before: (...args: Parameters<Answer>) => boolean = () => false,
): Promise<HttpWorld> {
  const sessions = new Map<string, StreamableHTTPServerTransport>()
  const left: string[] = []
  const service = await serve((request, response, seen) => {
    if (before(request, response, seen)) return
    const id = String(request.headers['mcp-session-id'])
    const body: unknown = seen.body === '' ? undefined : JSON.parse(seen.body)
    const known = sessions.get(id)
    if (known !== undefined) void known.handleRequest(request, response, body)
    else if (request.headers['mcp-session-id'] !== undefined) response.writeHead(404).end()
    else {
      const transport = new StreamableHTTPServerTransport({
        sessionIdGenerator: randomUUID,
        enableJsonResponse: options.json === true,
        onsessioninitialized: (session) => void sessions.set(session, transport),
        onsessionclosed: (session) => void left.push(session),
      })
      void createWorld(options)
        .connect(transport)
        .then(() => transport.handleRequest(request, response, body))
    }
  })
  return { ...service, url: `http://127.0.0.1:${service.port}/mcp`, forget: () => sessions.clear(), left }
}
