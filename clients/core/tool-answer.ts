import type { CommandInput } from '../../src/protocol/commands.ts'
import { fitsUtf8, toStorable, truncateUtf8, utf8Length } from '../../src/protocol/text.ts'

/** What a tool of the page made of a call; an `error` is what the model reads instead of the content. */
export type ToolAnswer = { readonly content: string; readonly error?: string }

/** What the model reads behind a text that is cut, as of the server's own tools. */
const CUT_MARK = '\n[The result was longer and is cut here.]'
const FAILED = 'The tool failed.'
/** Bytes around a text in JSON. */
const QUOTES = 2

/** The answer of a tool that threw. Not all that browsers throw are errors: one that has a message counts as one. */
export function answerOf(thrown: unknown): ToolAnswer {
  if (typeof thrown !== 'object' || thrown === null) return { content: '', error: String(thrown) }
  return { content: '', error: 'message' in thrown && typeof thrown.message === 'string' ? thrown.message : FAILED }
}

/** The command that tells `answer`, such as the server takes it: a refused one would leave the call waiting for good (P-7, P-11). */
export function toResult(id: string, toolCallId: string, answer: ToolAnswer, frameBytes: number): CommandInput {
  const { content, error } = answer
  const result = (text: string): CommandInput => {
    const told = error === undefined ? { content: text } : { content: '', error: text }
    return { type: 'tool.result', id, toolCallId, ...told }
  }
  const text = toStorable(error ?? content)
  if (fitsUtf8(JSON.stringify(result(text)), frameBytes)) return result(text)
  const room = Math.max(0, frameBytes - utf8Length(JSON.stringify(result(CUT_MARK))))
  return result(fitEscaped(text, room) + CUT_MARK)
}

/** A beginning of `text` that takes at most `limit` bytes within a JSON text. */
function fitEscaped(text: string, limit: number): string {
  let kept = truncateUtf8(text, limit)
  while (kept !== '') {
    const size = utf8Length(JSON.stringify(kept)) - QUOTES
    if (size <= limit) break
    kept = truncateUtf8(kept, Math.floor((utf8Length(kept) * limit) / size))
  }
  return kept
}
