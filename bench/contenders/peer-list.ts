import type { Wire } from '../load/line.ts'

/** A server under comparison: its name in tables, and what of its work is more than to pass an answer on. */
export type Peer = {
  readonly name: string
  /** In bench/peers; R and Parley are started as in the rest of the bench. */
  readonly file?: string
  readonly wire: Wire
  readonly path: string
  /** Sessions at 50 tokens/s that it is asked for, where it cannot carry what the others are asked for. */
  readonly paced?: number
  /** Tokens of an answer at full speed, where the others' would take minutes. */
  readonly tokens?: number
  /** Where the search for the most sessions begins. */
  readonly carries: number
  /** Its client keeps a connection between answers. */
  readonly connected: boolean
  readonly brings: string
}

export const RELAY = 'R'
export const PARLEY = 'Parley'

/** In the order in which they take turns. */
export const PEERS: readonly Peer[] = [
  {
    name: RELAY,
    wire: 'websocket',
    path: '/ws',
    carries: 150,
    connected: true,
    brings: 'uWebSockets.js and the Anthropic SDK, a frame per token: nothing else',
  },
  {
    name: PARLEY,
    wire: 'websocket',
    path: '/ws',
    carries: 200,
    connected: true,
    brings:
      'keys and their verdicts, a durable session each, numbered events with cursors and resume, limits, metrics; every message, run and checkpoint in Postgres',
  },
  {
    name: 'ws',
    file: 'ws.mjs',
    wire: 'websocket',
    path: '/',
    carries: 150,
    connected: true,
    brings: '`ws` and the Anthropic SDK, a frame per token: nothing else',
  },
  {
    name: 'Socket.IO',
    file: 'socket-io.mjs',
    wire: 'socket.io',
    path: '/socket.io/?EIO=4&transport=websocket',
    carries: 100,
    connected: true,
    brings: 'named events, acknowledgements, heartbeats, rooms',
  },
  {
    name: 'AG-UI',
    file: 'ag-ui.mjs',
    wire: 'ag-ui',
    path: '/',
    carries: 100,
    connected: false,
    brings: "the input checked by AG-UI's schema, its events over SSE",
  },
  {
    name: 'TanStack AI',
    file: 'tanstack-ai.mjs',
    wire: 'ag-ui',
    path: '/',
    carries: 50,
    connected: false,
    brings: 'its own loop of model and tools, AG-UI events over SSE',
  },
  {
    name: 'AI SDK',
    file: 'ai-sdk.mjs',
    wire: 'ai-sdk',
    path: '/',
    paced: 40,
    carries: 10,
    connected: false,
    brings: 'its own loop of model and tools, typed parts of UI messages over SSE',
  },
  {
    name: 'LangGraph',
    file: 'langgraph.mjs',
    wire: 'langgraph',
    path: '/runs/stream',
    paced: 10,
    tokens: 200,
    carries: 3,
    connected: false,
    brings: 'a graph of nodes, a queue of runs, threads and checkpoints in memory',
  },
]

/** Of none of them, Parley aside. */
export const NOT_ASKED =
  'authentication, sessions, numbered events, resume after a lost line, limits, storage, metrics: a peer gets a message and passes one answer on'
