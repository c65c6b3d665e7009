// An MCP server for the example of tools that come from one: it says when a shop is open. Parley starts it.

import { Server } from '@modelcontextprotocol/sdk/server/index.js'
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js'
import { CallToolRequestSchema, ListToolsRequestSchema } from '@modelcontextprotocol/sdk/types.js'

const HOURS = { saturday: '10 to 16', sunday: 'closed' }
const tool = {
  name: 'opening',
  description: 'Tells when the shop is open on a day of the week.',
  inputSchema: {
    type: 'object',
    properties: { day: { type: 'string', description: 'Such as monday.' } },
    required: ['day'],
  },
}

const server = new Server({ name: 'hours', version: '1.0.0' }, { capabilities: { tools: {} } })
server.setRequestHandler(ListToolsRequestSchema, () => ({ tools: [tool] }))
server.setRequestHandler(CallToolRequestSchema, ({ params }) => {
  const day = String(params.arguments?.day).toLowerCase()
  return { content: [{ type: 'text', text: `${process.env.SHOP}: ${HOURS[day] ?? '9 to 18'}` }] }
})
await server.connect(new StdioServerTransport())
