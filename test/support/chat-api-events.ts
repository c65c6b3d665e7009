import type { Step } from './messages-api-events.ts'

/**
 * What Chat Completions says on its stream, as data. Source: OpenAI's public reference of streamed chunks, and what Ollama,
 * vLLM and llama.cpp send beside it.
 */

type Fields = Readonly<Record<string, unknown>>

/** The two names that servers have for reasoning. */
export type ReasoningField = 'reasoning' | 'reasoning_content'

/** A part of an answer, as the deltas it arrives in; calls get their index from their place among the calls. */
type Part =
  | { readonly part: 'deltas'; readonly deltas: readonly Fields[] }
  | { readonly part: 'call'; readonly id: string; readonly name: string; readonly pieces: readonly string[] }

const JSON_PIECE_CHARS = 6

/** Text in deltas of about a token: a word with the white space before it. */
export function says(content: string): Part {
  return { part: 'deltas', deltas: words(content).map((word) => ({ content: word })) }
}

export function thinks(content: string, field: ReasoningField = 'reasoning_content'): Part {
  return { part: 'deltas', deltas: words(content).map((word) => ({ [field]: word })) }
}

export function refuses(content: string): Part {
  return { part: 'deltas', deltas: words(content).map((word) => ({ refusal: word })) }
}

/** A call whose arguments arrive in pieces that are no valid JSON by themselves, the first of them empty, as the API's. */
export function calls(id: string, name: string, input: unknown): Part {
  const json = JSON.stringify(input)
  const pieces: string[] = []
  for (let at = 0; at < json.length; at += JSON_PIECE_CHARS) pieces.push(json.slice(at, at + JSON_PIECE_CHARS))
  return { part: 'call', id, name, pieces }
}

function words(content: string): readonly string[] {
  return content.match(/\s*\S+|\s+$/g) ?? []
}

/** The data of one server-sent event; chunks have no event names. */
export function data(value: unknown, token = false): Step {
  return { step: 'send', bytes: `data: ${JSON.stringify(value)}\n\n`, token }
}

export const DONE: Step = { step: 'send', bytes: 'data: [DONE]\n\n', token: false }

/** One chunk with one choice. */
export function chunk(delta: Fields, more: Fields = {}): Step {
  const choice = { index: 0, delta, logprobs: null, finish_reason: null, ...more }
  return data({ ...HEAD, choices: [choice] }, Object.keys(delta).length > 0)
}

/** The piece of a call as the API sends it; `index` undefined leaves it out. */
export function callDelta(index: number | undefined, call: Fields): Step {
  return chunk({ tool_calls: [{ ...(index !== undefined && { index }), ...call }] })
}

export function finish(reason: string): Step {
  return chunk({}, { finish_reason: reason })
}

export type ChatUsage = {
  readonly prompt_tokens: number
  readonly completion_tokens: number
  readonly cached?: number
  readonly reasoning?: number
}

/** The last chunk before `[DONE]`: no choices, the counts of the whole answer. */
export function usage({ cached, reasoning, ...counts }: ChatUsage): Step {
  return data({
    ...HEAD,
    choices: [],
    usage: {
      ...counts,
      total_tokens: counts.prompt_tokens + counts.completion_tokens,
      ...(cached !== undefined && { prompt_tokens_details: { cached_tokens: cached, audio_tokens: 0 } }),
      ...(reasoning !== undefined && { completion_tokens_details: { reasoning_tokens: reasoning } }),
    },
  })
}

/** The error that a server sends inside a stream whose status was 200. */
export function errorData(error: unknown): Step {
  return data({ error })
}

export type ChatAnswerOptions = {
  readonly finish?: string
  /** `none`: a server that counts nothing. */
  readonly usage?: ChatUsage | 'none'
}

/** A whole answer: what a reply plays when nothing goes wrong. */
export function chatAnswer(parts: readonly Part[], options: ChatAnswerOptions = {}): Step[] {
  const called = parts.some(({ part }) => part === 'call')
  const steps = [...opened(parts), finish(options.finish ?? (called ? 'tool_calls' : 'stop'))]
  const counts = options.usage ?? { prompt_tokens: 25, completion_tokens: 7 }
  return [...steps, ...(counts === 'none' ? [] : [usage(counts)]), DONE]
}

/** The same up to where the model would say why it stopped. */
export function opened(parts: readonly Part[]): Step[] {
  let index = 0
  const steps = parts.flatMap((part) =>
    part.part === 'call' ? callSteps(part, index++) : part.deltas.map((d) => chunk(d)),
  )
  return [chunk({ role: 'assistant', content: '', refusal: null }), ...steps]
}

function callSteps({ id, name, pieces }: Extract<Part, { part: 'call' }>, index: number): Step[] {
  return [
    callDelta(index, { id, type: 'function', function: { name, arguments: '' } }),
    ...pieces.map((piece) => callDelta(index, { function: { arguments: piece } })),
  ]
}

const HEAD = { id: 'chatcmpl-stub', object: 'chat.completion.chunk', created: 1_760_000_000, model: 'stub' }
