import * as v from 'valibot'
import type { McpServer } from '../ports/apps.ts'
import { between, MAX_URL, told } from './fields.ts'
import { buildHeaders, HeadersSchema, headerFaults } from './headers.ts'
import { urlFault } from './templates.ts'

/** Of one App: each is asked for its tools when an answer begins. */
const MAX_SERVERS = 8
/** Tools that may be named of one server, and characters of a name, as the protocol advises. */
const [MAX_NAMED, MAX_TOOL_NAME] = [128, 128]
/** Milliseconds of one call. */
const [MIN_TIMEOUT_MS, MAX_TIMEOUT_MS, DEFAULT_TIMEOUT_MS] = [100, 300_000, 30_000]
/** Bytes of one answer. The result that a model gets has a smaller bound of its own. */
const [MIN_BYTES, MAX_BYTES, DEFAULT_BYTES] = [1000, 1_048_576, 262_144]

/** Without `_`, which ends it in the names of tools: `a_b_c` is of the server `a`, and of no other. */
const Name = v.pipe(v.string(), v.regex(/^[a-z][a-z0-9-]{0,23}$/, 'must be 1 to 24 of a-z 0-9 -, a letter first'))
/** As the operator's configuration has it: a name, nothing that could be a path or a command. */
const Program = v.pipe(v.string(), v.regex(/^[a-z0-9][a-z0-9-]{0,63}$/, 'must be 1 to 64 of a-z 0-9 -'))
const ToolNames = v.pipe(
  v.array(v.pipe(v.string(), v.minLength(1), v.maxLength(MAX_TOOL_NAME))),
  v.maxLength(MAX_NAMED),
)

/** The entries of `mcp` in a definition file. */
export const McpSchema = v.pipe(
  v.array(
    v.strictObject({
      name: told('Stands before the names of its tools; no other server of the App has it.', Name),
      url: v.optional(
        told('The address of a server that speaks streamable HTTP.', v.pipe(v.string(), v.maxLength(MAX_URL))),
      ),
      headers: v.optional(told('Sent along to the url; a value may hold {secret:NAME}.', HeadersSchema)),
      server: v.optional(told("In the place of url: a program's name in the operator's configuration.", Program)),
      tools: v.optional(told("The server's names of the tools that are offered; absent: all.", ToolNames)),
      approval: v.optional(
        told(
          'ask: a person approves each call first; a list: calls of these tools.',
          v.union([v.picklist(['none', 'ask']), ToolNames]),
        ),
      ),
      timeoutMs: v.optional(
        told(`Milliseconds for a call; default ${DEFAULT_TIMEOUT_MS}.`, between(MIN_TIMEOUT_MS, MAX_TIMEOUT_MS)),
      ),
      maxBytes: v.optional(told(`Of an answer; default ${DEFAULT_BYTES}.`, between(MIN_BYTES, MAX_BYTES))),
      context: v.optional(
        told(
          'What of the session the server is told with each call.',
          v.pipe(v.array(v.picklist(['user', 'wallet'])), v.maxLength(2)),
        ),
      ),
    }),
  ),
  v.maxLength(MAX_SERVERS),
)

type Definition = v.InferOutput<typeof McpSchema>[number]

/** Headers of the protocol, which speaks for itself. */
const OWN_HEADERS = ['accept', 'last-event-id', 'mcp-protocol-version', 'mcp-session-id']

/** What the schema cannot say: each fault with its place. */
export function mcpFaults(servers: readonly Definition[]): string[] {
  return servers.flatMap((server, index) => {
    const isTaken = servers.slice(0, index).some(({ name }) => name === server.name)
    const faults: [string, string | undefined][] = [
      ['name', isTaken ? 'another server of the App has it' : undefined],
      ...placeFaults(server),
    ]
    return faults.flatMap(([part, fault]) => (fault === undefined ? [] : [`mcp.${index}.${part}: ${fault}`]))
  })
}

function placeFaults({ url, server, headers }: Definition): [string, string | undefined][] {
  if ((url === undefined) === (server === undefined)) return [['url', 'must stand there, or server, and not both']]
  if (url === undefined) return [['headers', headers === undefined ? undefined : 'are for servers with a url']]
  const fault = /[{}]/.test(url) ? 'must hold no braces' : urlFault(url, {})
  return [['url', fault], ...headerFaults(headers ?? {}, { own: OWN_HEADERS, shared: true })]
}

/** The server that a checked definition names. */
export function buildMcpServer(definition: Definition): McpServer {
  const { name, url, headers = {}, server = '', tools, approval = 'none', timeoutMs, maxBytes, context } = definition
  return {
    name,
    at:
      url === undefined ? { kind: 'program', program: server } : { kind: 'http', url, headers: buildHeaders(headers) },
    ...(tools === undefined ? {} : { tools }),
    ask: typeof approval === 'string' ? approval === 'ask' : approval,
    timeoutMs: timeoutMs ?? DEFAULT_TIMEOUT_MS,
    maxBytes: maxBytes ?? DEFAULT_BYTES,
    context: [...new Set(context)],
  }
}
