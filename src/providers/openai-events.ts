import { type ModelEvent, type ModelRequest, ProviderUnavailable, type StopReason } from '../ports/provider.ts'
import type { ProviderBlocks } from '../ports/store.ts'
import { ParleyError } from '../protocol/errors.ts'
import { KeptThoughts, OPENAI, type ThoughtName } from './openai-thoughts.ts'
import { CallIds } from './upstream-call-ids.ts'
import { readTokens } from './upstream-tokens.ts'

/** Tool calls of one answer: above what any model makes, so that only a broken server meets it (I7). */
const MAX_CALLS = 128

/** Shorter ids of calls are numbers within an answer or drawn from too few. */
const MIN_CALL_ID = 16

const STOP_REASONS: ReadonlyMap<unknown, StopReason> = new Map([
  ['stop', 'end'],
  ['length', 'length'],
  ['tool_calls', 'tools'],
  ['function_call', 'tools'],
  ['content_filter', 'refusal'],
])

/** Reasons of compatible servers for an answer that broke off on their side. */
const BROKEN_OFF: ReadonlyMap<unknown, 'provider_error' | 'provider_overloaded'> = new Map([
  ['error', 'provider_error'],
  ['insufficient_system_resource', 'provider_overloaded'],
])

/** What servers send, as far as it is used; nothing of it is sure to be there, or to be of its type. */
export type Chunk = {
  readonly choices?: readonly Choice[] | null
  readonly usage?: ApiUsage | null
}
type Choice = { readonly index?: number; readonly delta?: Delta | null; readonly finish_reason?: unknown }
type Delta = {
  readonly content?: unknown
  readonly refusal?: unknown
  /** The two names that servers have for it. Some send both, with the same text. */
  readonly reasoning_content?: unknown
  readonly reasoning?: unknown
  /** OpenRouter's: the same and more, such as signatures. */
  readonly reasoning_details?: unknown
  readonly tool_calls?: readonly CallDelta[] | null
}
type CallDelta = {
  readonly index?: number | null
  readonly id?: string | null
  readonly function?: { readonly name?: string | null; readonly arguments?: unknown } | null
  /** Gemini's: the signature of what was thought before the call. */
  readonly extra_content?: unknown
}
type ApiUsage = {
  readonly prompt_tokens?: unknown
  readonly completion_tokens?: unknown
  readonly prompt_tokens_details?: { readonly cached_tokens?: unknown } | null
  readonly completion_tokens_details?: { readonly reasoning_tokens?: unknown } | null
}

/** `given` is the server's own id, empty where it has none. */
type OpenCall = { readonly id: string; readonly index: unknown; readonly given: string; hasArguments: boolean }

/**
 * Turns the chunks of one answer into the port's events, given to `push`. Throws `provider_error` on a stream that breaks
 * the API's own rules. Calls stay open to the end: only there is it sure that no more of their arguments comes.
 */
export class OpenAiEvents {
  readonly #model: string
  readonly #push: (event: ModelEvent) => void
  readonly #ids: CallIds
  readonly #calls: OpenCall[] = []
  #reasoning = false
  readonly #kept = new KeptThoughts()
  /** This answer follows the results of calls, as part of one that called tools. */
  readonly #calledBefore: boolean
  #refused = false
  #finished = false
  #stop: StopReason | undefined

  constructor({ model, messages }: ModelRequest, push: (event: ModelEvent) => void) {
    this.#model = model
    this.#push = push
    this.#ids = new CallIds(messages, MIN_CALL_ID)
    this.#calledBefore = messages.at(-1)?.role === 'tool'
  }

  /** The model has said why it stopped: what may still come are counts. */
  get stopped(): boolean {
    return this.#finished
  }

  chunk({ choices, usage }: Chunk): void {
    for (const choice of choices ?? []) if ((choice.index ?? 0) === 0) this.#choice(choice)
    if (usage) this.#count(usage)
  }

  /** At the end of the stream: closes what is open, says the stop. */
  finish(): void {
    if (!this.#finished) throw broken('it ended without a finish reason')
    this.#endReasoning()
    for (const { id, hasArguments } of this.#calls) {
      // A call without arguments may stream none of them; whoever joins the deltas still gets a JSON object.
      if (!hasArguments) this.#push({ type: 'tool.args', id, delta: '{}' })
      this.#push({ type: 'tool.end', id })
    }
    const blocks = this.#blocks()
    this.#push({ type: 'stop', reason: this.#reason(), ...(blocks && { blocks }) })
  }

  #choice({ delta, finish_reason: reason }: Choice): void {
    if (delta) this.#delta(delta)
    if (typeof reason !== 'string' || reason === '') return
    const failure = BROKEN_OFF.get(reason)
    if (failure !== undefined) throw new ProviderUnavailable(failure, { cause: new Error('the answer broke off') })
    this.#finished = true
    this.#stop = STOP_REASONS.get(reason)
  }

  #delta(delta: Delta): void {
    const content = checked(delta.reasoning_content)
    if (content === '') this.#think('reasoning', checked(delta.reasoning))
    else this.#think('reasoning_content', content)
    this.#kept.detail(delta.reasoning_details)
    this.#say(checked(delta.content))
    const refusal = checked(delta.refusal)
    if (refusal !== '') this.#refused = true
    this.#say(refusal)
    for (const call of delta.tool_calls ?? []) this.#call(call)
    if (this.#kept.isTooMuch) throw broken('too much beside what is said')
  }

  #think(name: ThoughtName, delta: string): void {
    if (delta === '') return
    this.#reasoning = true
    this.#kept.think(name, delta)
    this.#push({ type: 'reasoning', delta })
  }

  /** Empty deltas say nothing, and clients refuse them. */
  #say(delta: string): void {
    if (delta === '') return
    this.#endReasoning()
    this.#push({ type: 'text', delta })
  }

  #endReasoning(): void {
    if (this.#reasoning) this.#push({ type: 'reasoning.end' })
    this.#reasoning = false
  }

  #call(delta: CallDelta): void {
    const call = this.#find(delta) ?? this.#begin(delta)
    this.#kept.extra(call.id, delta.extra_content)
    const args = checked(delta.function?.arguments)
    if (args === '') return
    call.hasArguments = true
    this.#push({ type: 'tool.args', id: call.id, delta: args })
  }

  /**
   * The call that a piece goes on with. Its index says which; some servers give all calls the same one, or none, and tell
   * them apart by their ids or by naming the function anew.
   */
  #find({ index, id, function: named }: CallDelta): OpenCall | undefined {
    const call = this.#calls.findLast((open) => open.index === (index ?? undefined))
    if (call === undefined) return undefined
    if (id) return id === call.given ? call : undefined
    return (index ?? undefined) === undefined && named?.name ? undefined : call
  }

  #begin({ index, id, function: named }: CallDelta): OpenCall {
    const name = checked(named?.name)
    if (name === '') throw broken('a call without a name')
    if (this.#calls.length >= MAX_CALLS) throw broken('too many calls')
    const given = checked(id)
    const call = { id: this.#ids.take(given), index: index ?? undefined, given, hasArguments: false }
    this.#calls.push(call)
    this.#endReasoning()
    this.#push({ type: 'tool.start', id: call.id, name })
    return call
  }

  /** DeepSeek, Kimi and Gemini refuse an answer that called tools without what was thought before each part of it; of others they pass over it. */
  #blocks(): ProviderBlocks | undefined {
    if (this.#calls.length === 0 && !this.#calledBefore) return undefined
    return this.#kept.toBlocks(this.#model, new Map(this.#calls.map(({ given, id }) => [given, id])))
  }

  /** Some servers end an answer that calls tools with `stop`; a reason that is newer than this code is an end. */
  #reason(): StopReason {
    if (this.#refused) return 'refusal'
    const reason = this.#stop ?? 'end'
    return reason === 'end' && this.#calls.length > 0 ? 'tools' : reason
  }

  /** The API's counts are totals already: the cached part is within the input, the reasoning within the output. */
  #count(usage: ApiUsage): void {
    const [inputTokens, outputTokens] = [tokens(usage.prompt_tokens), tokens(usage.completion_tokens)]
    const cached = tokens(usage.prompt_tokens_details?.cached_tokens)
    const reasoning = tokens(usage.completion_tokens_details?.reasoning_tokens)
    const totalTokens = inputTokens + outputTokens
    this.#push({
      type: 'usage',
      usage: {
        provider: OPENAI,
        model: this.#model,
        inputTokens,
        outputTokens,
        totalTokens,
        ...(cached > 0 && { cachedInputTokens: cached }),
        ...(reasoning > 0 && { reasoningTokens: reasoning }),
      },
    })
  }
}

function tokens(count: unknown): number {
  return readTokens(count) ?? 0
}

/** Text that is absent is empty; anything else that stands in its place breaks the rules. */
function checked(text: unknown): string {
  if (text === undefined || text === null) return ''
  if (typeof text !== 'string') throw broken('text that is not a string')
  return text
}

function broken(how: string): ParleyError {
  return new ParleyError('provider_error', { cause: new Error(`the Chat Completions stream is broken: ${how}`) })
}
