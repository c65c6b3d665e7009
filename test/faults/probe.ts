/** Loaded into a server under test (`--import`): what only the process itself can tell, over a socket of this machine. */
import { createServer } from 'node:net'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { createInterface } from 'node:readline'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { isMainThread } from 'node:worker_threads'

const RESOLUTION_MS = 5
const NANOSECONDS_PER_MS = 1e6
/** One collection leaves what the next one may free: weak references and what they held. */
const COLLECTIONS = 3

const path = process.env['PARLEY_FAULT_PROBE']
if (path !== undefined && isMainThread) listen(path)

function listen(at: string): void {
  // A server's own flags stay as people start it.
  setFlagsFromString('--expose-gc')
  const collect: unknown = runInNewContext('gc')
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  delay.enable()
  const commands: Readonly<Record<string, () => number>> = {
    pid: () => process.pid,
    stall: () => {
      const stall = Math.max(0, delay.max / NANOSECONDS_PER_MS - RESOLUTION_MS)
      delay.reset()
      return stall
    },
    heap: () => {
      for (let pass = 0; pass < COLLECTIONS; pass++) if (typeof collect === 'function') collect()
      return process.memoryUsage().heapUsed
    },
  }
  const server = createServer((socket) => {
    socket.unref().on('error', () => socket.destroy())
    createInterface({ input: socket }).on('line', (name) => socket.write(`${commands[name]?.() ?? Number.NaN}\n`))
  })
  // A command beside the server gets the same environment; the server was there first and is the one that is asked.
  server.on('error', () => server.close())
  // It keeps no server alive that wants to end.
  server.listen(at).unref()
}
