import type { ModelEvent } from '../../ports/provider.ts'
import type { MessageRow, ProviderBlocks } from '../../ports/store.ts'
import { toToolName } from '../../ports/tool-name.ts'
import type { Event } from '../../protocol/events.ts'
import { toStorable } from '../../protocol/text.ts'
import { deltaEvents, wholeCharacters } from './deltas.ts'
import {
  type AssistantItem,
  assistantItem,
  type DraftCall,
  type DraftItem,
  type ItemOwner,
  type ReasoningItem,
  reasoningItem,
  rowOf,
  type Unsaved,
  unsavedOf,
} from './draft-items.ts'
import type { EventBuffer } from './event-buffer.ts'

/** UTF-16 units of an open item above which a snapshot leaves it out and the opening says it in deltas: a snapshot may cut. */
const MAX_SNAPSHOT_TEXT = 32 * 1024
const MAX_SNAPSHOT_ARGUMENTS = 4 * 1024

/** What the draft must know of its run. */
export type DraftHost = ItemOwner & { nextIndex(): number }

/**
 * One model request's answer while it grows: model events go in, AG-UI events come out through the buffer, and at any moment
 * its rows (for checkpoints, snapshots and the end) and its open items can be asked for. The text stays open to the end of
 * the request, so that every text block of it is one message.
 */
export class Draft {
  readonly #host: DraftHost
  readonly #buffer: EventBuffer
  readonly #items: DraftItem[] = []
  #assistant: AssistantItem | undefined
  #reasoning: ReasoningItem | undefined
  /** First half of a surrogate pair that a delta of text or reasoning ended in. */
  #half = ''
  #blocks: ProviderBlocks | undefined

  constructor(host: DraftHost, buffer: EventBuffer) {
    this.#host = host
    this.#buffer = buffer
  }

  apply(event: ModelEvent): void {
    switch (event.type) {
      case 'text':
        return this.#text(event.delta)
      case 'reasoning':
        return this.#think(event.delta)
      case 'reasoning.end':
        return this.#endReasoning()
      case 'tool.start':
        return this.#startCall(event.id, event.name)
      case 'tool.args':
        return this.#args(event.id, event.delta)
      case 'tool.end':
        return this.#endCall(event.id)
      case 'stop':
        this.#blocks = event.blocks
        return
      case 'usage':
        return
    }
  }

  /** The calls of this answer, in order. */
  get calls(): readonly { readonly id: string; readonly name: string; readonly arguments: string }[] {
    return this.#assistant?.calls ?? []
  }

  /** `interrupted`: the answer ended before the model did. */
  rows(interrupted = false): MessageRow[] {
    const blocks = interrupted ? undefined : this.#blocks
    return this.#items.map((item) => rowOf(item, this.#host, interrupted, blocks))
  }

  /** What a checkpoint has to save. */
  unsaved(): Unsaved {
    return unsavedOf(this.#items, this.#host)
  }

  /** The rows for a client that joins now: what is open and long is empty, `opening` says all of it. */
  snapshotRows(): MessageRow[] {
    return this.rows().map((row) => {
      const isOpen = row.id === this.#reasoning?.id || (row.id === this.#assistant?.id && this.#assistant.textOpen)
      const content = isOpen && row.content.length > MAX_SNAPSHOT_TEXT ? '' : row.content
      const toolCalls = row.toolCalls?.map((call) => (this.#isLong(call.id) ? { ...call, arguments: '' } : call))
      return { ...row, content, ...(toolCalls === undefined ? {} : { toolCalls }) }
    })
  }

  /** The `START` of every open item, and what the snapshot's rows leave out of it. */
  opening(): Event[] {
    const [reasoning, assistant] = [this.#reasoning, this.#assistant]
    const events: Event[] = []
    if (reasoning !== undefined) {
      events.push(...reasoningOpening(reasoning.id))
      if (reasoning.text.length > MAX_SNAPSHOT_TEXT)
        events.push(...deltaEvents('REASONING_MESSAGE_CONTENT', reasoning.id, reasoning.text.toString()))
    }
    if (assistant?.textOpen === true) {
      events.push({ type: 'TEXT_MESSAGE_START', messageId: assistant.id, role: 'assistant' })
      if (assistant.text.length > MAX_SNAPSHOT_TEXT)
        events.push(...deltaEvents('TEXT_MESSAGE_CONTENT', assistant.id, assistant.text.toString()))
    }
    for (const call of assistant?.calls ?? []) {
      if (call.open) events.push(callStart(call, assistant?.id))
      if (this.#isLong(call.id)) events.push(...deltaEvents('TOOL_CALL_ARGS', call.id, call.arguments))
    }
    return events
  }

  /** Ends every open item, in the order in which a client may rely on. */
  close(): void {
    this.#endReasoning()
    for (const call of this.#assistant?.calls ?? []) this.#endCall(call.id)
    if (this.#assistant?.textOpen !== true) return
    this.#assistant.textOpen = false
    this.#buffer.push({ type: 'TEXT_MESSAGE_END', messageId: this.#assistant.id })
  }

  #text(raw: string): void {
    const delta = this.#whole(raw)
    if (delta === '') return
    const item = this.#openAssistant()
    if (!item.textOpen) {
      item.textOpen = true
      this.#buffer.push({ type: 'TEXT_MESSAGE_START', messageId: item.id, role: 'assistant' })
    }
    item.text.append(delta)
    this.#buffer.delta('TEXT_MESSAGE_CONTENT', item.id, delta)
  }

  #think(raw: string): void {
    const delta = this.#whole(raw)
    if (delta === '') return
    if (this.#reasoning === undefined) {
      this.#reasoning = reasoningItem(this.#host.runId, this.#host.nextIndex())
      this.#items.push(this.#reasoning)
      for (const event of reasoningOpening(this.#reasoning.id)) this.#buffer.push(event)
    }
    this.#reasoning.text.append(delta)
    this.#buffer.delta('REASONING_MESSAGE_CONTENT', this.#reasoning.id, delta)
  }

  #endReasoning(): void {
    if (this.#reasoning === undefined) return
    const messageId = this.#reasoning.id
    this.#reasoning = undefined
    this.#buffer.push({ type: 'REASONING_MESSAGE_END', messageId })
    this.#buffer.push({ type: 'REASONING_END', messageId })
  }

  #startCall(id: string, name: string): void {
    const item = this.#openAssistant()
    const call = { id: toStorable(id), name: toToolName(name), arguments: '', half: '', open: true }
    item.calls.push(call)
    this.#buffer.push(callStart(call, item.id))
  }

  #args(id: string, raw: string): void {
    const call = this.#call(id)
    if (call === undefined) return
    const { delta, half } = wholeCharacters(call.half + raw)
    call.half = half
    if (delta === '') return
    call.arguments += delta
    this.#buffer.delta('TOOL_CALL_ARGS', call.id, delta)
  }

  #endCall(id: string): void {
    const call = this.#call(id)
    if (call?.open !== true) return
    call.open = false
    this.#buffer.push({ type: 'TOOL_CALL_END', toolCallId: call.id })
  }

  #isLong(callId: string): boolean {
    const call = this.#call(callId)
    return call?.open === true && call.arguments.length > MAX_SNAPSHOT_ARGUMENTS
  }

  #call(id: string): DraftCall | undefined {
    return this.#assistant?.calls.find((call) => call.id === id)
  }

  #openAssistant(): AssistantItem {
    this.#endReasoning()
    if (this.#assistant === undefined) {
      this.#assistant = assistantItem(this.#host.runId, this.#host.nextIndex())
      this.#items.push(this.#assistant)
    }
    return this.#assistant
  }

  #whole(raw: string): string {
    const { delta, half } = wholeCharacters(this.#half + raw)
    this.#half = half
    return delta
  }
}

function reasoningOpening(messageId: string): Event[] {
  return [
    { type: 'REASONING_START', messageId },
    { type: 'REASONING_MESSAGE_START', messageId, role: 'reasoning' },
  ]
}

function callStart(call: { id: string; name: string }, parentMessageId: string | undefined): Event {
  return {
    type: 'TOOL_CALL_START',
    toolCallId: call.id,
    toolCallName: call.name,
    ...(parentMessageId === undefined ? {} : { parentMessageId }),
  }
}
