import { AbstractAgent, parseSSEStream, runHttpRequest, verifyEvents } from '@ag-ui/client'
import { EventSchema } from '@ag-ui/core/schemas'
import {
  AbstractAgent as AbstractAgent059,
  EventSchemas as EventSchemas059,
  parseSSEStream as parseSSEStream059,
  runHttpRequest as runHttpRequest059,
  verifyEvents as verifyEvents059,
} from 'ag-ui-client-059'
import { vi } from 'vitest'
import type { Message } from '../../src/protocol/messages.ts'

/** The clients that most front ends are built on: the current one, and the one that is still pinned everywhere. */
export const AG_UI_CLIENTS = ['1.0.0', '0.0.59'] as const
export type AgUiClient = (typeof AG_UI_CLIENTS)[number]

/** What an unmodified client made of a stream. */
export type AgUiReplay = {
  readonly client: AgUiClient
  /** Events that passed its `verifyEvents`. */
  readonly events: number
  /** Its conversation at the end. */
  readonly messages: readonly { readonly id: string; readonly role: string }[]
  /** What it complained of but let pass: 1.0.0 strips fields that the protocol does not describe, and says so. */
  readonly warnings: readonly string[]
  /**
   * Events that its package's schema refuses, as `TYPE: fault`. For 1.0.0 always empty: its pipeline throws. 0.0.59 holds
   * the schema against what comes over HTTP only, so over a socket of ours such an event passes.
   */
  readonly schemaFaults: readonly string[]
}

export type ReplayOptions = {
  /** What the client holds before the stream: a snapshot's messages, for one that joins in the middle. */
  readonly messages?: readonly Message[]
}

/** A client threw at a stream. `cause` is what it threw. */
export class AgUiRefusal extends Error {
  override readonly name = 'AgUiRefusal'
  readonly client: AgUiClient

  constructor(client: AgUiClient, cause: unknown) {
    super(`@ag-ui/client ${client}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
    this.client = client
  }
}

/**
 * Plays `chunks` (events as they were received, in order; several runs may follow one another) to both clients, the way an
 * agent over a socket hands them on: `verifyEvents`, then the whole pipeline that builds messages. Throws AgUiRefusal.
 */
export async function replayInAgUi(
  chunks: readonly unknown[],
  options: ReplayOptions = {},
): Promise<readonly AgUiReplay[]> {
  const replays: AgUiReplay[] = []
  for (const client of AG_UI_CLIENTS) replays.push(await replayIn(client, chunks, options))
  return replays
}

/** One client only. */
export async function replayIn(
  client: AgUiClient,
  chunks: readonly unknown[],
  { messages = [] }: ReplayOptions = {},
): Promise<AgUiReplay> {
  // They take silence for success; a recording that is empty is a fault of the test.
  if (chunks.length === 0) throw new AgUiRefusal(client, 'no events were recorded')
  // The clients speak to the console: what they warn of is part of the outcome, what they throw is thrown anyway.
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined)
  const error = vi.spyOn(console, 'error').mockImplementation(() => undefined)
  try {
    const { verify, build, faultOf } = CLIENTS[client]
    const events = await verify(chunks)
    const built = await build(chunks, messages)
    const schemaFaults = chunks.map(faultOf).filter((fault) => fault !== undefined)
    return { client, events, messages: built, warnings: warn.mock.calls.map((call) => call.join(' ')), schemaFaults }
  } catch (thrown) {
    throw new AgUiRefusal(client, thrown)
  } finally {
    warn.mockRestore()
    error.mockRestore()
  }
}

/** The events of a list of frames as they came off the wire. */
export function chunksOf(frames: readonly object[]): readonly unknown[] {
  return frames.flatMap((frame) => ('chunk' in frame ? [frame.chunk] : []))
}

type Client = {
  readonly verify: (chunks: readonly unknown[]) => Promise<number>
  readonly build: (chunks: readonly unknown[], messages: readonly Message[]) => Promise<AgUiReplay['messages']>
  readonly faultOf: (chunk: unknown) => string | undefined
}

/** An agent whose transport hands on what was recorded, as one over a WebSocket does. */
class RecordedAgent extends AbstractAgent {
  chunks: readonly unknown[] = []

  override run(): ReturnType<AbstractAgent['run']> {
    return parseSSEStream(runHttpRequest(() => toResponse(this.chunks)))
  }
}

class RecordedAgent059 extends AbstractAgent059 {
  chunks: readonly unknown[] = []

  override run(): ReturnType<AbstractAgent059['run']> {
    return parseSSEStream059(runHttpRequest059(() => toResponse(this.chunks)))
  }
}

const RUN = { runId: 'run' }

const CLIENTS: Readonly<Record<AgUiClient, Client>> = {
  '1.0.0': {
    verify: (chunks) =>
      count((watch) => verifyEvents(false)(withChunks(new RecordedAgent(), chunks).run()).subscribe(watch)),
    build: async (chunks, messages) => {
      const agent = withChunks(new RecordedAgent({ initialMessages: [...messages] }), chunks)
      await agent.runAgent(RUN)
      return agent.messages
    },
    faultOf: (chunk) => faultOf(chunk, EventSchema.safeParse(chunk).error),
  },
  '0.0.59': {
    verify: (chunks) =>
      count((watch) => verifyEvents059(false)(withChunks(new RecordedAgent059(), chunks).run()).subscribe(watch)),
    build: async (chunks, messages) => {
      const agent = withChunks(new RecordedAgent059({ initialMessages: [...messages] }), chunks)
      await agent.runAgent(RUN)
      return agent.messages
    },
    faultOf: (chunk) => faultOf(chunk, EventSchemas059.safeParse(chunk).error),
  },
}

function withChunks<A extends { chunks: readonly unknown[] }>(agent: A, chunks: readonly unknown[]): A {
  agent.chunks = chunks
  return agent
}

type Watch = { next: () => void; error: (thrown: unknown) => void; complete: () => void }

/** How many events come before the end; rejects with what is thrown. */
function count(subscribe: (watch: Watch) => void): Promise<number> {
  return new Promise((resolve, reject) => {
    let events = 0
    const next = (): void => {
      events++
    }
    subscribe({ next, error: reject, complete: () => resolve(events) })
  })
}

/** Both packages read event streams; nothing is asked over the network. */
function toResponse(chunks: readonly unknown[]): Promise<Response> {
  const body = chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join('')
  return Promise.resolve(new Response(body, { headers: { 'content-type': 'text/event-stream' } }))
}

type Issues = { readonly issues: readonly { readonly path: readonly unknown[]; readonly message: string }[] }

function faultOf(chunk: unknown, error: Issues | undefined): string | undefined {
  if (error === undefined) return undefined
  const type = typeof chunk === 'object' && chunk !== null && 'type' in chunk ? String(chunk.type) : 'no type'
  return `${type}: ${error.issues.map(({ path, message }) => `${path.join('.')} ${message}`).join('; ')}`
}
