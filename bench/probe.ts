/** Loaded into both servers alike (`--import`): the longest stall of the event loop, and the live heap after a collection. */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { serve } from './rpc.ts'

export type ProbeCommand = { readonly do: 'reset' } | { readonly do: 'stall' } | { readonly do: 'collect' }

const RESOLUTION_MS = 5
const NANOSECONDS_PER_MS = 1e6

const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
delay.enable()

const handle = (text: string): number => {
  const command: ProbeCommand = JSON.parse(text)
  switch (command.do) {
    case 'reset':
      delay.reset()
      return 0
    case 'stall':
      return Math.max(0, delay.max / NANOSECONDS_PER_MS - RESOLUTION_MS)
    case 'collect':
      for (let pass = 0; pass < 3; pass += 1) globalThis.gc?.()
      return process.memoryUsage().heapUsed
  }
}

// A server whose bench has gone ends as it does for anyone: drained, its database stopped.
serve(handle, () => process.kill(process.pid, 'SIGTERM'))
// The channel must not keep a server alive that wants to end.
process.channel?.unref()
