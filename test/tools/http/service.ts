import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { onTestFinished } from 'vitest'
import { parseDefinition } from '../../../src/apps/definition.ts'
import { buildHttpTool } from '../../../src/apps/http-tools.ts'
import type { Tool } from '../../../src/ports/tool.ts'
import { createHttpTools } from '../../../src/tools/http/http-tool.ts'

export type Seen = {
  readonly method: string | undefined
  readonly url: string | undefined
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

export type Service = {
  readonly port: number
  /** Requests, whole, in their order. */
  readonly seen: Seen[]
  /** Connections that were ever made. */
  readonly connections: () => number
  /** Connections that are open. */
  readonly open: () => Promise<number>
}

export type Answer = (request: IncomingMessage, response: ServerResponse, seen: Seen) => void

/** A real HTTP server on loopback for one test. */
export async function serve(answer: Answer): Promise<Service> {
  const seen: Seen[] = []
  let connections = 0
  const hear = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method, url, headers } = request
    const one = { method, url, headers, body: await text(request) }
    seen.push(one)
    answer(request, response, one)
  }
  const server = createServer((request, response) => void hear(request, response))
  server.on('connection', () => connections++)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const open = () =>
    new Promise<number>((resolve, reject) => {
      server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)))
    })
  return { port: address.port, seen, connections: () => connections, open }
}

export const json =
  (value: unknown, status = 200): Answer =>
  (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json; charset=utf-8' }).end(JSON.stringify(value))
  }

export const redirect =
  (location: string, status = 302): Answer =>
  (_request, response) => {
    response.writeHead(status, { location }).end()
  }

export type World = {
  /** Names and their addresses; a name that is not here is not found. */
  readonly names?: Readonly<Record<string, readonly string[]>>
  readonly hosts?: readonly string[]
  readonly secrets?: Readonly<Record<string, string>>
}

export const PARAMETERS = {
  type: 'object',
  properties: { id: { type: 'string', maxLength: 500 } },
  required: ['id'],
}

/** The tool of a definition, as a server has it; `asked`: the names that were looked up. */
export function toolOf(
  fields: Readonly<Record<string, unknown>>,
  { names = {}, hosts = [], secrets = {} }: World = {},
) {
  const asked: string[] = []
  const lookup = async (name: string) => {
    asked.push(name)
    const addresses = names[name]
    if (addresses === undefined) throw Object.assign(new Error('not found'), { code: 'ENOTFOUND' })
    return addresses
  }
  const entries = Object.entries(secrets).map(([name, value]) => [name, { reveal: () => value }] as const)
  const make = createHttpTools({ hosts, secrets: new Map(entries) }, lookup)
  const tool: Tool = make(definitionOf(fields))
  return { tool, asked }
}

export function definitionOf(fields: Readonly<Record<string, unknown>>) {
  const base = { name: 'order', description: 'An order.', parameters: PARAMETERS, method: 'GET' }
  const app = { id: 'shop', name: 'Shop', preamble: '', model: { default: 'scripted/demo' } }
  const [definition] = parseDefinition({ ...app, httpTools: [{ ...base, ...fields }] }).httpTools ?? []
  if (definition === undefined) throw new Error('no tool')
  return buildHttpTool(definition)
}
