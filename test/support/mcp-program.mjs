// The server of mcp-world.mjs as a program: `node mcp-program.mjs [JSON of options]`.

import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js'
import { createWorld } from './mcp-world.mjs'

await createWorld(JSON.parse(process.argv[2] ?? '{}')).connect(new StdioServerTransport())
process.stderr.write(`started ${process.pid}\n`)
