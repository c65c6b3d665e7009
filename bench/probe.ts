/** Loaded into both servers alike (`--import`): the longest stall of the event loop, and the live heap after a collection. */
import { readdirSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { serve } from './rig/rpc.ts'

export type ProbeCommand =
  | { readonly do: 'reset' }
  | { readonly do: 'stall' }
  | { readonly do: 'collect' }
  | { readonly do: 'figures' }

/** What the process holds after a collection: bytes of heap, open files (sockets among them), active handles and timers. */
export type ProbeFigures = { readonly heap: number; readonly files: number; readonly handles: number }

const RESOLUTION_MS = 5
/** Collections: what one lets go of, the next may free. */
const PASSES = 3
const NANOSECONDS_PER_MS = 1e6

const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
delay.enable()

function collect(): number {
  for (let pass = 0; pass < PASSES; pass += 1) globalThis.gc?.()
  return process.memoryUsage().heapUsed
}

const handle = (text: string): number | ProbeFigures => {
  const command: ProbeCommand = JSON.parse(text)
  switch (command.do) {
    case 'reset':
      delay.reset()
      return 0
    case 'stall':
      return Math.max(0, delay.max / NANOSECONDS_PER_MS - RESOLUTION_MS)
    case 'collect':
      return collect()
    case 'figures':
      return {
        heap: collect(),
        // Reading the directory opens one itself.
        files: readdirSync('/proc/self/fd').length - 1,
        handles: process.getActiveResourcesInfo().length,
      }
  }
}

// A server whose bench has gone ends as it does for anyone: drained, its database stopped.
serve(handle, () => process.kill(process.pid, 'SIGTERM'))
// The channel must not keep a server alive that wants to end.
process.channel?.unref()
