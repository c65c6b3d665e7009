/**
 * What the Messages API says on its stream, as data: blocks, stop reasons, usage, and the steps a reply is played in.
 * Source: the public documentation of streaming messages, extended thinking, tool use and errors.
 */

export type StopReason =
  | 'end_turn'
  | 'max_tokens'
  | 'model_context_window_exceeded'
  | 'pause_turn'
  | 'refusal'
  | 'stop_sequence'
  | 'tool_use'

export type ErrorType =
  | 'api_error'
  | 'authentication_error'
  | 'invalid_request_error'
  | 'not_found_error'
  | 'overloaded_error'
  | 'permission_error'
  | 'rate_limit_error'
  | 'request_too_large'
  | 'timeout_error'

/** Token counts. In `message_delta` they are cumulative: the last one is the whole message's. */
export type Usage = {
  readonly input_tokens: number
  readonly output_tokens: number
  readonly cache_creation_input_tokens: number
  readonly cache_read_input_tokens: number
}

/** A content block and the deltas it arrives in. */
export type Block =
  | { readonly type: 'text'; readonly deltas: readonly string[] }
  | { readonly type: 'thinking'; readonly deltas: readonly string[]; readonly signature: string }
  | { readonly type: 'redacted_thinking'; readonly data: string }
  | { readonly type: 'tool_use'; readonly id: string; readonly name: string; readonly deltas: readonly string[] }

/** One thing a reply does. `token` marks what the pace applies to. */
export type Step =
  | { readonly step: 'send'; readonly bytes: string | Uint8Array; readonly token: boolean }
  /** Bytes made when they are sent: for a clock in the text. */
  | { readonly step: 'make'; readonly make: () => string; readonly token: boolean }
  | { readonly step: 'wait'; readonly ms: number }
  /** Silence until `until` settles; without it, until the client goes away. */
  | { readonly step: 'hold'; readonly until?: Promise<unknown> }
  /** Destroys the socket: the client sees a reset or a cut chunk. */
  | { readonly step: 'cut' }

const JSON_PIECE_CHARS = 6

/** Text in deltas of about a token: a word with the white space before it. */
export function text(content: string): Block {
  return { type: 'text', deltas: content.match(/\s*\S+|\s+$/g) ?? [] }
}

export function thinking(content: string, signature = 'c2lnbmF0dXJl'): Block {
  return { type: 'thinking', deltas: content.match(/\s*\S+|\s+$/g) ?? [], signature }
}

export function redactedThinking(data = 'cmVkYWN0ZWQ='): Block {
  return { type: 'redacted_thinking', data }
}

/** A call whose arguments arrive in pieces that are no valid JSON by themselves, the first of them empty, as the API's. */
export function toolUse(id: string, name: string, input: unknown): Block {
  const json = JSON.stringify(input)
  const deltas = ['']
  for (let at = 0; at < json.length; at += JSON_PIECE_CHARS) deltas.push(json.slice(at, at + JSON_PIECE_CHARS))
  return { type: 'tool_use', id, name, deltas }
}

/** One server-sent event; its name is the `type` of its data, as on the API. */
export function event(data: { readonly type: string } & Readonly<Record<string, unknown>>, token = false): Step {
  return { step: 'send', bytes: sse(data), token }
}

export function sse(data: { readonly type: string } & Readonly<Record<string, unknown>>): string {
  return `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`
}

export function ping(): Step {
  return event({ type: 'ping' })
}

/** The error event that the API sends inside a stream whose status was 200. */
export function errorEvent(type: ErrorType, message: string): Step {
  return event({ type: 'error', error: { type, message } })
}

export type AnswerOptions = {
  readonly id?: string
  readonly model?: string
  readonly stop?: StopReason
  readonly stopSequence?: string
  readonly usage?: Partial<Usage>
}

/** A whole message: what a reply plays when nothing goes wrong. */
export function answer(blocks: readonly Block[], options: AnswerOptions = {}): Step[] {
  return [
    messageStart(options),
    ping(),
    ...blocks.flatMap((block, index) => blockSteps(block, index)),
    messageDelta(blocks, options),
    event({ type: 'message_stop' }),
  ]
}

export function messageStart({ id = 'msg_stub', model = 'claude-stub', usage }: AnswerOptions = {}): Step {
  const counts = { ...usageOf(usage), output_tokens: 1 }
  const nulls = { stop_reason: null, stop_sequence: null }
  return event({
    type: 'message_start',
    message: { id, type: 'message', role: 'assistant', model, content: [], ...nulls, usage: counts },
  })
}

export function messageDelta(blocks: readonly Block[], options: AnswerOptions = {}): Step {
  const called = blocks.some((block) => block.type === 'tool_use')
  const stop = options.stop ?? (called ? 'tool_use' : 'end_turn')
  const details = stop === 'refusal' ? { type: 'refusal', category: null, explanation: null } : null
  const tokens = blocks.reduce((sum, block) => sum + ('deltas' in block ? block.deltas.length : 1), 0)
  return event({
    type: 'message_delta',
    delta: { stop_reason: stop, stop_sequence: options.stopSequence ?? null, stop_details: details },
    usage: usageOf({ output_tokens: tokens, ...options.usage }),
  })
}

/** `content_block_start`, the deltas, `content_block_stop`. */
export function blockSteps(block: Block, index: number): Step[] {
  const start = (content: Readonly<Record<string, unknown>>): Step =>
    event({ type: 'content_block_start', index, content_block: { type: block.type, ...content } })
  const delta = (value: Readonly<Record<string, unknown>>): Step =>
    event({ type: 'content_block_delta', index, delta: value }, true)
  const stop = event({ type: 'content_block_stop', index })
  switch (block.type) {
    case 'text':
      return [start({ text: '' }), ...block.deltas.map((piece) => delta({ type: 'text_delta', text: piece })), stop]
    case 'thinking':
      return [
        start({ thinking: '', signature: '' }),
        ...block.deltas.map((piece) => delta({ type: 'thinking_delta', thinking: piece })),
        delta({ type: 'signature_delta', signature: block.signature }),
        stop,
      ]
    case 'redacted_thinking':
      return [start({ data: block.data }), stop]
    case 'tool_use':
      return [
        start({ id: block.id, name: block.name, input: {} }),
        ...block.deltas.map((piece) => delta({ type: 'input_json_delta', partial_json: piece })),
        stop,
      ]
  }
}

function usageOf(usage: Partial<Usage> = {}): Usage {
  return {
    input_tokens: 25,
    output_tokens: 1,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: 0,
    ...usage,
  }
}
