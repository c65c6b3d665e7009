import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js'
import type { McpServer } from '../../ports/apps.ts'
import type { Telemetry } from '../../ports/telemetry.ts'
import type { ToolError } from '../../ports/tool.ts'
import { withoutSecrets } from '../http/answer.ts'
import { type Guard, ToolSetupError } from '../http/guard.ts'
import type { Secrets } from '../http/request.ts'
import { GuardedFetch } from './guarded-fetch.ts'
import type { Sdk } from './sdk.ts'
import { StderrLog } from './stderr-log.ts'
import { type McpProgram, StdioTransport } from './stdio-transport.ts'

/** Bytes of a page of a server's list of tools. */
export const MAX_PAGE_BYTES = 524_288
/** Milliseconds between tries of the SDK to open a stream again; it gives up after a few, and the list's age does the rest. */
const RECONNECT = {
  initialReconnectionDelay: 1000,
  maxReconnectionDelay: 30_000,
  reconnectionDelayGrowFactor: 2,
  maxRetries: 3,
}
/** Characters: shorter values of an environment are words, which would be masked everywhere. */
const MIN_SECRET = 8

export type ChannelParts = {
  readonly guard: Guard
  readonly secrets: Secrets
  readonly programs: ReadonlyMap<string, McpProgram>
  readonly telemetry: Telemetry
}

/** The way to one server, of either kind. */
export type Channel = {
  readonly transport: Transport
  /** Why the other side is given up, where it is. */
  readonly fault: () => ToolError | undefined
  /** `text` without secrets that this server knows. */
  readonly clean: (text: string) => string
  /** Says farewell, where the protocol wants one. */
  readonly farewell: () => Promise<void>
}

/** Throws ToolSetupError where the operator's configuration has no such program for the App. */
export function openChannel(app: string, server: McpServer, sdk: Sdk, parts: ChannelParts): Channel {
  const { at } = server
  return at.kind === 'http' ? toAddress(at, sdk, parts) : toProgram(app, at.program, server, sdk, parts)
}

function toAddress(
  at: Extract<McpServer['at'], { readonly kind: 'http' }>,
  sdk: Sdk,
  { guard, secrets }: ChannelParts,
): Channel {
  const { fetch } = new GuardedFetch(guard, secrets, at)
  const url = new URL(at.url)
  const transport = new sdk.StreamableHTTPClientTransport(url, { fetch, reconnectionOptions: RECONNECT })
  return {
    transport,
    fault: () => undefined,
    clean: (text) => withoutSecrets(text, secrets.values()),
    farewell: () => transport.terminateSession(),
  }
}

function toProgram(
  app: string,
  name: string,
  { maxBytes }: McpServer,
  sdk: Sdk,
  { programs, telemetry }: ChannelParts,
): Channel {
  const program = programs.get(name)
  if (program === undefined || program.apps?.includes(app) === false) throw new ToolSetupError('PROGRAM_NOT_ALLOWED')
  const values = Object.values(program.env).filter((value) => value.length >= MIN_SECRET)
  const clean = (text: string): string =>
    withoutSecrets(
      text,
      values.map((value) => ({ reveal: () => value })),
    )
  const transport = new StdioTransport({
    program,
    maxBytes: Math.max(maxBytes, MAX_PAGE_BYTES),
    read: (line) => sdk.JSONRPCMessageSchema.parse(line),
    stderr: new StderrLog(telemetry, { server: name, app }, clean),
  })
  return { transport, fault: () => transport.fault, clean, farewell: async () => undefined }
}
