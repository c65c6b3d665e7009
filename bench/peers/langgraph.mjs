// LangGraph's server from the registry (in memory, its queue of runs in the same process; its makers mean it for development):
// one node that asks the model, streamed as messages.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startServer } from '@langchain/langgraph-api/server'

/** Runs at once: as many as are measured. It starts 10 unless told otherwise. */
const WORKERS = 200

/** It keeps its state there. */
const folder = mkdtempSync(join(tmpdir(), 'bench-langgraph-'))
process.on('SIGTERM', () => {
  rmSync(folder, { recursive: true, force: true })
  process.exit()
})

await startServer({
  host: '127.0.0.1',
  port: Number(process.env.PORT),
  nWorkers: WORKERS,
  cwd: folder,
  graphs: { chat: `${fileURLToPath(new URL('langgraph-graph.mjs', import.meta.url))}:graph` },
})
