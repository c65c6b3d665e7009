import type { CommandInput } from '../../src/protocol/commands.ts'
import type { Pending } from '../../src/protocol/frames.ts'
import type { Conversation } from './conversation.ts'
import type { Environment } from './environment.ts'
import { isCut, type Reply } from './requests.ts'

/**
 * What a page does for the model, by the tool's name. Gets the arguments as the model wrote them, which nothing has checked;
 * gives the result as text. What it throws is told to the model by its message.
 */
export type ClientTools = Readonly<Record<string, (args: unknown) => string | Promise<string>>>

type Answer = { readonly content: string; readonly error?: string }
/** Of a call that this page has: it is being executed, its answer is on its way, or is still to be told. */
type State = 'working' | 'telling' | Answer

/** Share of a lease after which it is made longer while a tool still works. */
const RENEW_AT = 0.5

export type ToolRunnerParts = {
  readonly tools: ClientTools
  readonly environment: Pick<Environment, 'setTimeout'>
  readonly conversation: () => Conversation
  readonly ask: (command: (id: string) => CommandInput) => Promise<Reply>
}

/**
 * Executes the calls that wait for this page: claims each, so that of several tabs one does it, and tells the result until
 * the server has it, across cuts.
 */
export class ToolRunner {
  readonly #parts: ToolRunnerParts
  readonly #calls = new Map<string, State>()

  constructor(parts: ToolRunnerParts) {
    this.#parts = parts
  }

  /** Sees to what waits; called whenever that may have changed and there is a connection. */
  look(): void {
    const { conversation, tools } = this.#parts
    const { pending } = conversation()
    for (const id of this.#calls.keys()) if (!pending.some((call) => call.toolCallId === id)) this.#calls.delete(id)
    for (const call of pending) {
      if (call.kind !== 'client' || !Object.hasOwn(tools, call.toolName)) continue
      const state = this.#calls.get(call.toolCallId)
      if (state === undefined) void this.#execute(call)
      else if (typeof state === 'object') void this.#tell(call.toolCallId, state)
    }
  }

  async #execute({ toolCallId, toolName }: Pending): Promise<void> {
    this.#calls.set(toolCallId, 'working')
    if (!(await this.#claim(toolCallId))) return
    const answer = await this.#answer(toolName, toolCallId)
    await this.#tell(toolCallId, answer)
  }

  /** False: another tab has it, or there is no connection. It is looked at again when that may have changed. */
  async #claim(toolCallId: string): Promise<boolean> {
    const reply = await this.#lease(toolCallId)
    if (reply.ok) return true
    this.#calls.delete(toolCallId)
    if (reply.retryAfterMs !== undefined) this.#parts.environment.setTimeout(() => this.look(), reply.retryAfterMs)
    return false
  }

  /** Asks for the call, and again before that runs out, as long as it is worked on. */
  async #lease(toolCallId: string): Promise<Reply> {
    const { ask, environment } = this.#parts
    const reply = await ask((id) => ({ type: 'tool.claim', id, toolCallId }))
    const expiresInMs = reply.ok ? reply.ack.expiresInMs : undefined
    const again = (): void => {
      if (this.#calls.get(toolCallId) === 'working') void this.#lease(toolCallId)
    }
    if (expiresInMs !== undefined) environment.setTimeout(again, expiresInMs * RENEW_AT)
    return reply
  }

  async #answer(toolName: string, toolCallId: string): Promise<Answer> {
    try {
      const content = await this.#parts.tools[toolName]?.(argumentsOf(this.#parts.conversation(), toolCallId))
      return { content: String(content) }
    } catch (thrown) {
      return { content: '', error: thrown instanceof Error ? thrown.message : String(thrown) }
    }
  }

  async #tell(toolCallId: string, answer: Answer): Promise<void> {
    this.#calls.set(toolCallId, 'telling')
    const reply = await this.#parts.ask((id) => ({ type: 'tool.result', id, toolCallId, ...answer }))
    // Kept, and told again over the next connection. A call that was answered meanwhile leaves `pending`.
    if (!reply.ok && isCut(reply)) this.#calls.set(toolCallId, answer)
  }
}

function argumentsOf({ messages }: Conversation, toolCallId: string): unknown {
  const calls = messages.flatMap((message) => (message.role === 'assistant' ? (message.toolCalls ?? []) : []))
  const text = calls.find(({ id }) => id === toolCallId)?.function.arguments ?? ''
  return text.trim() === '' ? {} : JSON.parse(text)
}
