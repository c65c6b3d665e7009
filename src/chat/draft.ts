import type { ModelEvent } from '../ports/provider.ts'
import type { MessageRow, ProviderBlocks } from '../ports/store.ts'
import type { Event } from '../protocol/events.ts'
import { toStorable } from '../protocol/text.ts'
import { type EventBuffer, endsInsidePair } from './event-buffer.ts'

type DraftCall = { readonly id: string; readonly name: string; arguments: string; open: boolean }
type ReasoningItem = {
  readonly kind: 'reasoning'
  readonly id: string
  readonly index: number
  text: string
  open: boolean
}
type AssistantItem = {
  readonly kind: 'assistant'
  readonly id: string
  readonly index: number
  text: string
  textOpen: boolean
  readonly calls: DraftCall[]
}

/** What the draft must know of its run. */
export type DraftHost = {
  readonly sessionId: string
  readonly runId: string
  readonly startedAt: number
  nextIndex(): number
}

/**
 * One model request's answer while it grows: model events go in, AG-UI events come out through the buffer, and at any moment
 * its rows (for checkpoints, snapshots and the end) and its open items can be asked for. The text stays open to the end of
 * the request, so that every text block of it is one message.
 */
export class Draft {
  readonly #host: DraftHost
  readonly #buffer: EventBuffer
  readonly #items: (ReasoningItem | AssistantItem)[] = []
  #assistant: AssistantItem | undefined
  #reasoning: ReasoningItem | undefined
  /** First half of a surrogate pair that a delta ended in. */
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
    const { sessionId, runId, startedAt } = this.#host
    const mark = interrupted ? { interrupted: true } : {}
    return this.#items.map((item): MessageRow => {
      const base = {
        id: item.id,
        sessionId,
        runId,
        index: item.index,
        content: toStorable(item.text),
        createdAt: startedAt,
        ...mark,
      }
      if (item.kind === 'reasoning') return { ...base, role: 'reasoning' }
      const calls = item.calls.map(({ id, name, arguments: args }) => ({ id, name, arguments: toStorable(args) }))
      const blocks = this.#blocks === undefined || interrupted ? {} : { blocks: this.#blocks }
      return { ...base, role: 'assistant', ...(calls.length === 0 ? {} : { toolCalls: calls }), ...blocks }
    })
  }

  /** The `START` of every open item: what a client that joins now needs beside the snapshot. */
  opening(): Event[] {
    const events: Event[] = []
    if (this.#reasoning !== undefined) events.push(...reasoningOpening(this.#reasoning.id))
    if (this.#assistant?.textOpen === true)
      events.push({ type: 'TEXT_MESSAGE_START', messageId: this.#assistant.id, role: 'assistant' })
    for (const call of this.#assistant?.calls ?? []) if (call.open) events.push(callStart(call, this.#assistant?.id))
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
    item.text += delta
    this.#buffer.delta('TEXT_MESSAGE_CONTENT', item.id, delta)
  }

  #think(raw: string): void {
    const delta = this.#whole(raw)
    if (delta === '') return
    if (this.#reasoning === undefined) {
      const index = this.#host.nextIndex()
      this.#reasoning = { kind: 'reasoning', id: `${this.#host.runId}-${index}`, index, text: '', open: true }
      this.#items.push(this.#reasoning)
      for (const event of reasoningOpening(this.#reasoning.id)) this.#buffer.push(event)
    }
    this.#reasoning.text += delta
    this.#buffer.delta('REASONING_MESSAGE_CONTENT', this.#reasoning.id, delta)
  }

  #endReasoning(): void {
    if (this.#reasoning === undefined) return
    const messageId = this.#reasoning.id
    this.#reasoning.open = false
    this.#reasoning = undefined
    this.#buffer.push({ type: 'REASONING_MESSAGE_END', messageId })
    this.#buffer.push({ type: 'REASONING_END', messageId })
  }

  #startCall(id: string, name: string): void {
    const item = this.#openAssistant()
    const call = { id: toStorable(id), name: toStorable(name), arguments: '', open: true }
    item.calls.push(call)
    this.#buffer.push(callStart(call, item.id))
  }

  #args(id: string, raw: string): void {
    const call = this.#call(id)
    const delta = toStorable(raw)
    if (call === undefined || delta === '') return
    call.arguments += delta
    this.#buffer.delta('TOOL_CALL_ARGS', call.id, delta)
  }

  #endCall(id: string): void {
    const call = this.#call(id)
    if (call?.open !== true) return
    call.open = false
    this.#buffer.push({ type: 'TOOL_CALL_END', toolCallId: call.id })
  }

  #call(id: string): DraftCall | undefined {
    return this.#assistant?.calls.find((call) => call.id === id)
  }

  #openAssistant(): AssistantItem {
    this.#endReasoning()
    if (this.#assistant === undefined) {
      const index = this.#host.nextIndex()
      this.#assistant = {
        kind: 'assistant',
        id: `${this.#host.runId}-${index}`,
        index,
        text: '',
        textOpen: false,
        calls: [],
      }
      this.#items.push(this.#assistant)
    }
    return this.#assistant
  }

  /** Storable text, whole characters only: half a pair waits for its other half. */
  #whole(raw: string): string {
    const text = this.#half + raw
    this.#half = endsInsidePair(text) ? text.slice(-1) : ''
    return toStorable(this.#half === '' ? text : text.slice(0, -1))
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
