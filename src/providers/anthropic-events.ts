import type {
  StopReason as ApiStopReason,
  ContentBlock,
  RawContentBlockDeltaEvent,
  RawMessageStreamEvent,
  ToolUseBlock,
} from '@anthropic-ai/sdk/resources/messages'
import { GrowingText } from '../ports/growing-text.ts'
import type { ModelEvent, ModelRequest, StopReason } from '../ports/provider.ts'
import type { ProviderBlocks } from '../ports/store.ts'
import { parseArguments } from '../ports/tool-arguments.ts'
import { toToolName } from '../ports/tool-name.ts'
import { ParleyError } from '../protocol/errors.ts'
import { isBlank, toStorableJson } from '../protocol/text.ts'
import { AnthropicCounts } from './anthropic-counts.ts'
import { ANTHROPIC } from './anthropic-messages.ts'
import { CallIds } from './upstream-call-ids.ts'

const STOP_REASONS: Readonly<Record<ApiStopReason, StopReason>> = {
  end_turn: 'end',
  stop_sequence: 'end',
  tool_use: 'tools',
  max_tokens: 'length',
  pause_turn: 'pause',
  refusal: 'refusal',
  model_context_window_exceeded: 'context',
}

/**
 * UTF-16 units that one answer may keep without saying them: signatures, citations, blocks that we never ask for. Far above what Claude
 * sends; what is said has its bound in the run (I7).
 */
const MAX_KEPT_UNITS = 4 * 1024 * 1024

/** A block that the stream has opened and not closed yet. `other` is what we never ask for, kept to be given back. */
type OpenBlock =
  | { readonly kind: 'text'; readonly text: GrowingText; readonly citations: unknown[] }
  | { readonly kind: 'thinking'; readonly text: GrowingText; signature: string }
  | { readonly kind: 'tool'; readonly start: ToolUseBlock; readonly json: GrowingText }
  | { readonly kind: 'other'; readonly start: ContentBlock; readonly json: GrowingText }

/**
 * Turns the raw events of one answer into the port's, given to `push`. `delta` is called once per token and makes nothing
 * but the event; everything else comes a few times per answer. Throws `provider_error` on a stream that breaks the API's
 * own rules.
 */
export class AnthropicEvents {
  readonly #counts: AnthropicCounts
  readonly #ids: CallIds
  readonly #push: (event: ModelEvent) => void
  readonly #open = new Map<number, OpenBlock>()
  readonly #finished: unknown[] = []
  /** The text and the calls alone do not say what was answered: the blocks have to be given back as they were. */
  #replay = false
  #called = false
  #room = MAX_KEPT_UNITS
  #stop: StopReason | undefined

  constructor({ model, messages }: ModelRequest, push: (event: ModelEvent) => void) {
    this.#counts = new AnthropicCounts(model)
    this.#ids = new CallIds(messages)
    this.#push = push
  }

  /** @param size UTF-16 units of the event */
  delta({ index, delta }: RawContentBlockDeltaEvent, size: number): void {
    const block = this.#open.get(index)
    switch (delta.type) {
      case 'text_delta':
        if (block?.kind !== 'text') throw broken('text outside a text block')
        return this.#say('text', delta.text, block.text)
      case 'thinking_delta':
        if (block?.kind !== 'thinking') throw broken('thinking outside a thinking block')
        return this.#say('reasoning', delta.thinking, block.text)
      case 'input_json_delta':
        if (block?.kind !== 'tool' && block?.kind !== 'other') throw broken('arguments outside a call')
        block.json.append(checked(delta.partial_json))
        if (block.kind === 'other') this.#keep(size)
        else if (delta.partial_json !== '')
          this.#push({ type: 'tool.args', id: block.start.id, delta: delta.partial_json })
        return
      case 'signature_delta':
        if (block?.kind === 'thinking') block.signature = delta.signature
        return this.#keep(size)
      case 'citations_delta':
        if (block?.kind === 'text') block.citations.push(delta.citation)
        return this.#keep(size)
      default:
      // A kind of delta that is newer than this code: the API adds them without a new version.
    }
  }

  /** Every event but deltas and `message_stop`; events of a kind that is not known are passed over. */
  other(event: Exclude<RawMessageStreamEvent, RawContentBlockDeltaEvent>, size: number): void {
    switch (event.type) {
      case 'message_start':
        return this.#count(event.message.usage)
      case 'content_block_start':
        if (this.#open.has(event.index)) throw broken('a block opened twice')
        this.#open.set(event.index, this.#start(event.content_block))
        return this.#keep(size)
      case 'content_block_stop': {
        const block = this.#open.get(event.index)
        if (block === undefined) throw broken('a block closed that was not open')
        this.#open.delete(event.index)
        return this.#end(block)
      }
      case 'message_delta':
        if (event.delta.stop_reason !== null) this.#stop = toStopReason(event.delta.stop_reason, this.#called)
        return this.#count(event.usage)
      default:
    }
  }

  /** At `message_stop`: the last event of the answer. */
  finish(): void {
    if (this.#stop === undefined) throw broken('stopped without a reason')
    if (this.#open.size > 0) throw broken('stopped inside a block')
    const blocks = this.#blocks(this.#stop)
    this.#push({ type: 'stop', reason: this.#stop, ...(blocks && { blocks }) })
  }

  #keep(size: number): void {
    this.#room -= size
    if (this.#room < 0) throw broken('too much beside what is said')
  }

  #start(start: ContentBlock): OpenBlock {
    switch (start.type) {
      case 'text':
        if (this.#called) this.#replay = true
        return { kind: 'text', text: this.#begin('text', start.text), citations: [...(start.citations ?? [])] }
      case 'thinking':
        this.#replay = true
        return { kind: 'thinking', text: this.#begin('reasoning', start.thinking), signature: start.signature ?? '' }
      case 'tool_use':
        this.#called = true
        return { kind: 'tool', start: this.#startCall(start), json: new GrowingText() }
      default:
        this.#replay = true
        return { kind: 'other', start, json: new GrowingText() }
    }
  }

  /** Gateways number their ids or repeat them, and pass on names that a model made up: what no history may hold is not kept. */
  #startCall(start: ToolUseBlock): ToolUseBlock {
    const call = { ...start, id: this.#ids.take(checked(start.id)), name: toToolName(checked(start.name)) }
    this.#push({ type: 'tool.start', id: call.id, name: call.name })
    return call
  }

  #begin(type: 'text' | 'reasoning', start: string): GrowingText {
    const text = new GrowingText()
    this.#say(type, start, text)
    return text
  }

  /** Empty deltas say nothing, and clients refuse them. */
  #say(type: 'text' | 'reasoning', delta: string, text: GrowingText): void {
    if (delta === '') return
    this.#push({ type, delta: checked(delta) })
    text.append(delta)
  }

  #end(block: OpenBlock): void {
    switch (block.kind) {
      case 'text':
        return this.#endText(block.text.toString(), block.citations)
      case 'thinking': {
        const thinking = block.text.toString()
        // The API refuses thinking that it has not signed; gateways write null there.
        if (typeof block.signature === 'string' && block.signature !== '')
          this.#finished.push({ type: 'thinking', thinking, signature: block.signature })
        if (thinking !== '') this.#push({ type: 'reasoning.end' })
        return
      }
      case 'tool':
        return this.#endCall(block.start, block.json.toString())
      case 'other': {
        const json = block.json.toString()
        this.#finished.push(json === '' ? block.start : { ...block.start, input: parseArguments(json) ?? {} })
      }
    }
  }

  #endText(text: string, citations: readonly unknown[]): void {
    if (citations.length > 0) this.#replay = true
    if (!isBlank(text)) this.#finished.push(toTextBlock(text, citations))
  }

  /** A call without arguments streams none of them; whoever joins the deltas still gets a JSON object. */
  #endCall(start: ToolUseBlock, streamed: string): void {
    const json = streamed === '' ? JSON.stringify(start.input ?? {}) : streamed
    if (streamed === '') this.#push({ type: 'tool.args', id: start.id, delta: json })
    this.#finished.push({ ...start, input: parseArguments(json) ?? {} })
    this.#push({ type: 'tool.end', id: start.id })
  }

  #blocks(reason: StopReason): ProviderBlocks | undefined {
    // A refused answer must not be continued from; a paused one only can be with all of its blocks.
    const wanted = reason === 'pause' || (this.#replay && reason !== 'refusal')
    return wanted && this.#finished.length > 0 ? { provider: ANTHROPIC, content: toStored(this.#finished) } : undefined
  }

  #count(usage: Parameters<AnthropicCounts['take']>[0]): void {
    this.#push({ type: 'usage', usage: this.#counts.take(usage) })
  }
}

/** Blocks are stored as they are, so every string in them, names included, has to be one that can be. */
function toStored(blocks: readonly unknown[]): readonly unknown[] {
  const json = JSON.stringify(blocks)
  const storable = toStorableJson(json)
  if (storable === json) return blocks
  const stored: unknown = JSON.parse(storable)
  return Array.isArray(stored) ? stored : []
}

function toTextBlock(text: string, citations: readonly unknown[]): unknown {
  return citations.length === 0 ? { type: 'text', text } : { type: 'text', text, citations }
}

/** A reason that is newer than this code is an end; calls are still answered. */
function toStopReason(reason: ApiStopReason, called: boolean): StopReason {
  const known: StopReason | undefined = STOP_REASONS[reason]
  return known ?? (called ? 'tools' : 'end')
}

/** The types say string, the wire may not. */
function checked(text: string): string {
  if (typeof text !== 'string') throw broken('text that is not a string')
  return text
}

function broken(how: string): ParleyError {
  return new ParleyError('provider_error', { cause: new Error(`the Messages stream is broken: ${how}`) })
}
