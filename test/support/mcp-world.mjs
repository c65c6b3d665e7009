// A real MCP server, of the SDK's own classes, that does what tests ask of it. Over stdio as mcp-program.mjs, over HTTP in the
// test's process.

import { setTimeout as sleep } from 'node:timers/promises'
import { Server } from '@modelcontextprotocol/sdk/server/index.js'
import {
  CallToolRequestSchema,
  EmptyResultSchema,
  ListToolsRequestSchema,
  McpError,
} from '@modelcontextprotocol/sdk/types.js'

const ANY = { type: 'object', properties: {} }
const NAMES = ['echo', 'env', 'fail', 'refuse', 'hang', 'freeze', 'big', 'crash', 'picture', 'grow', 'say']

/** What the server was told to stop, by name of the tool. */
export const stopped = []

/**
 * @param {{ tools?: readonly Record<string, unknown>[], pageSize?: number, delayMs?: number }} [options] `tools`: further ones,
 *   as they are listed; `pageSize`: tools of one page.
 */
export function createWorld({ tools = [], pageSize = 1000, delayMs = 0 } = {}) {
  const server = new Server({ name: 'world', version: '1' }, { capabilities: { tools: { listChanged: true } } })
  const all = [...NAMES.map((name) => ({ name, description: `Does ${name}.`, inputSchema: ANY })), ...tools]
  server.setRequestHandler(ListToolsRequestSchema, async ({ params }) => {
    await sleep(delayMs)
    const from = Number(params?.cursor ?? 0)
    const more = from + pageSize < all.length
    return { tools: all.slice(from, from + pageSize), ...(more ? { nextCursor: String(from + pageSize) } : {}) }
  })
  const text = (said) => ({ content: [{ type: 'text', text: said }] })
  const does = {
    echo: async ({ arguments: args, _meta }, { sendRequest }) => {
      if (args?.ask === true) await sendRequest({ method: 'ping' }, EmptyResultSchema)
      return text(JSON.stringify({ args, meta: _meta }))
    },
    env: () => text(JSON.stringify(process.env)),
    fail: () => ({ ...text('there is no such file'), isError: true }),
    refuse: ({ arguments: args }) => {
      throw new McpError(args?.code ?? -32602, 'the path is not right')
    },
    hang: (_params, { signal }) =>
      new Promise(() => {
        signal.addEventListener('abort', () => {
          stopped.push('hang')
          process.stderr.write('stopped hang\n')
        })
      }),
    freeze: () => {
      for (;;);
    },
    big: ({ arguments: args }) => text('x'.repeat(args.bytes)),
    crash: () => process.exit(3),
    picture: () => ({
      content: [
        { type: 'text', text: 'Here:' },
        { type: 'image', data: 'aaaabbbb', mimeType: 'image/png' },
        { type: 'resource', resource: { uri: 'file:///a.txt', mimeType: 'text/plain', text: 'inside' } },
        { type: 'resource', resource: { uri: 'file:///a.bin', blob: 'aaaa' } },
        { type: 'resource_link', uri: 'file:///b.txt', name: 'b' },
      ],
    }),
    grow: async () => {
      all.push({ name: 'grown', description: 'Is new.', inputSchema: ANY })
      await server.sendToolListChanged()
      return text('grown')
    },
    say: ({ arguments: args }) => {
      process.stderr.write(args.text)
      return text('said')
    },
  }
  server.setRequestHandler(CallToolRequestSchema, ({ params }, extra) => {
    const act = does[params.name]
    return act === undefined ? text(`called ${params.name}`) : act(params, extra)
  })
  return server
}
