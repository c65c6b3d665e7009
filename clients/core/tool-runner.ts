import type { CommandInput } from '../../src/protocol/commands.ts'
import type { Pending } from '../../src/protocol/frames.ts'
import type { Conversation } from './conversation.ts'
import type { Environment, Timer } from './environment.ts'
import { hasCall } from './messages.ts'
import type { Failure } from './outcome.ts'
import { isCut, type Reply } from './requests.ts'
import { answerOf, type ToolAnswer, toResult } from './tool-answer.ts'

/**
 * What a page does for the model, by the tool's name. Gets the arguments as the model wrote them, which nothing has checked;
 * gives the result as text. What it throws is told to the model by its message.
 */
export type ClientTools = Readonly<Record<string, (args: unknown) => string | Promise<string>>>

/**
 * Of a call that this page has: it is being claimed, or executed (`unleased`: the connection that claimed it was lost), or
 * has an answer, which is told unless it is `held`: on its way, or refused for the moment.
 */
type State = 'claiming' | 'working' | 'unleased' | { readonly answer: ToolAnswer; readonly held: boolean }

/** Share of a lease after which it is made longer while a tool still works. */
const RENEW_AT = 0.5
/** Milliseconds. However short a lease the server gives, it is not asked for more often. */
const MIN_RENEW_MS = 250
/**
 * Milliseconds that a page waits beyond another's lease: the one that executes the call may have come back by another
 * connection, to which its own lease is a stranger's, and goes first.
 */
const AFTER_LEASE_MS = 2_000
/** Milliseconds after a refusal that may pass, where the server names no time of its own. */
const RETRY_MS = 5_000

export type ToolRunnerParts = {
  readonly tools: ClientTools
  readonly environment: Pick<Environment, 'setTimeout' | 'clearTimeout'>
  readonly conversation: () => Conversation
  readonly loadOlder: () => void
  readonly ask: (command: (id: string) => CommandInput) => Promise<Reply>
}

/**
 * Executes the calls that wait for this page: claims each, so that of several tabs one does it, and tells the result until
 * the server has it, across cuts.
 */
export class ToolRunner {
  readonly #parts: ToolRunnerParts
  readonly #calls = new Map<string, State>()
  /** Calls that older messages were asked for once. */
  readonly #sought = new Set<string>()
  readonly #timers = new Set<Timer>()

  constructor(parts: ToolRunnerParts) {
    this.#parts = parts
  }

  /** Whether this page makes the calls of that tool. */
  has(toolName: string): boolean {
    return Object.hasOwn(this.#parts.tools, toolName)
  }

  /** Sees to what waits; called whenever that may have changed and there is a connection. */
  look(): void {
    const { conversation } = this.#parts
    const { pending, messages } = conversation()
    for (const id of this.#calls.keys()) if (!pending.some((call) => call.toolCallId === id)) this.#calls.delete(id)
    for (const call of pending) {
      if (call.kind !== 'client' || !this.has(call.toolName)) continue
      const state = this.#calls.get(call.toolCallId)
      // Its arguments are in a message that is not here yet: never made without them.
      if (!hasCall(messages, call.toolCallId)) this.#seek(call.toolCallId)
      else if (state === undefined) void this.#execute(call)
      else if (state === 'unleased') void this.#renew(call.toolCallId)
      else if (typeof state === 'object' && !state.held) void this.#tell(call.toolCallId, state.answer)
    }
  }

  #seek(toolCallId: string): void {
    if (this.#sought.has(toolCallId)) return
    this.#sought.add(toolCallId)
    this.#parts.loadOlder()
  }

  /** The connection is gone, and with it what was claimed over it: the next `look` begins anew. */
  cutOff(): void {
    for (const timer of this.#timers) this.#parts.environment.clearTimeout(timer)
    this.#timers.clear()
    for (const [id, state] of this.#calls) {
      if (state === 'working') this.#calls.set(id, 'unleased')
      // The server may have it all the same; it takes it once.
      else if (typeof state === 'object') this.#calls.set(id, { ...state, held: false })
    }
  }

  async #execute({ toolCallId, toolName }: Pending): Promise<void> {
    this.#calls.set(toolCallId, 'claiming')
    const reply = await this.#claim(toolCallId)
    // Answered elsewhere meanwhile.
    if (this.#calls.get(toolCallId) !== 'claiming') return
    if (!reply.ok) {
      // Another tab has it, or there is no connection. It is looked at again when that may have changed.
      this.#calls.delete(toolCallId)
      const wait = waitOf(reply)
      if (wait !== undefined) this.#later(wait + AFTER_LEASE_MS, () => this.look())
      return
    }
    this.#keepLease(toolCallId, reply)
    const answer = await this.#answer(toolName, toolCallId)
    await this.#tell(toolCallId, answer)
  }

  #claim(toolCallId: string): Promise<Reply> {
    return this.#parts.ask((id) => ({ type: 'tool.claim', id, toolCallId }))
  }

  /** Asks for a call that is being worked on again. */
  async #renew(toolCallId: string): Promise<void> {
    this.#calls.set(toolCallId, 'working')
    const reply = await this.#claim(toolCallId)
    if (this.#calls.get(toolCallId) === 'working') this.#keepLease(toolCallId, reply)
  }

  /** Asks again before the lease runs out; after a cut, when the one of the connection before has run out. */
  #keepLease(toolCallId: string, reply: Reply): void {
    this.#calls.set(toolCallId, 'working')
    const wait = reply.ok ? renewIn(reply.ack.expiresInMs) : waitOf(reply)
    if (wait === undefined) return
    this.#later(wait, () => {
      if (this.#calls.get(toolCallId) === 'working') void this.#renew(toolCallId)
    })
  }

  #later(ms: number, run: () => void): void {
    const { environment } = this.#parts
    const timer = environment.setTimeout(() => {
      this.#timers.delete(timer)
      run()
    }, ms)
    this.#timers.add(timer)
  }

  async #answer(toolName: string, toolCallId: string): Promise<ToolAnswer> {
    try {
      const content = await this.#parts.tools[toolName]?.(argumentsOf(this.#parts.conversation(), toolCallId))
      return { content: String(content) }
    } catch (thrown) {
      return answerOf(thrown)
    }
  }

  /** A call that was answered meanwhile leaves `pending`, and with it this. */
  async #tell(toolCallId: string, answer: ToolAnswer): Promise<void> {
    const state: State = { answer, held: true }
    this.#calls.set(toolCallId, state)
    const { frameBytes } = this.#parts.conversation().limits
    const reply = await this.#parts.ask((id) => toResult(id, toolCallId, answer, frameBytes))
    const wait = reply.ok ? undefined : waitOf(reply)
    if (wait === undefined) return
    this.#later(wait, () => {
      if (this.#calls.get(toolCallId) === state) void this.#tell(toolCallId, answer)
    })
  }
}

/** Milliseconds until a lease of `expiresInMs` is made longer. */
function renewIn(expiresInMs: number | undefined): number | undefined {
  return expiresInMs === undefined ? undefined : Math.max(MIN_RENEW_MS, expiresInMs * RENEW_AT)
}

/** Milliseconds after which what was refused may pass; undefined where another connection, or nothing, has to come first. */
function waitOf(failure: Failure): number | undefined {
  return !failure.retryable || isCut(failure) ? undefined : (failure.retryAfterMs ?? RETRY_MS)
}

function argumentsOf({ messages }: Conversation, toolCallId: string): unknown {
  const calls = messages.flatMap((message) => (message.role === 'assistant' ? (message.toolCalls ?? []) : []))
  const text = calls.find(({ id }) => id === toolCallId)?.function.arguments ?? ''
  return text.trim() === '' ? {} : JSON.parse(text)
}
