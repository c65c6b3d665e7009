import * as v from 'valibot'
import { type Command, CommandSchema } from './commands.ts'
import { ParleyError } from './errors.ts'
import type { Event } from './events.ts'
import { type ControlFrame, ControlFrameSchema, type Envelope, EnvelopeSchema } from './frames.ts'
import { ClientIdSchema } from './ids.ts'
import { FIRST_IN_WORDS } from './in-words.ts'
import { MAX_JSON_DEPTH } from './limits.ts'

/** What could be read of a frame that was refused, so that its error can say which command it answers. */
export type FrameRef = { readonly ref?: string; readonly clientMessageId?: string }

export type DecodedCommand =
  | { readonly ok: true; readonly command: Command }
  | { readonly ok: false; readonly error: ParleyError; readonly ref: FrameRef }

const QUOTE = 34
const BACKSLASH = 92
const OPEN_BRACE = 123
const CLOSE_BRACE = 125
const OPEN_BRACKET = 91
const CLOSE_BRACKET = 93

/** True when `text`, read as JSON, nests deeper than `limit`. Looks at brackets outside strings only; does not parse. */
export function isDeeperThan(text: string, limit: number): boolean {
  let depth = 0
  let inString = false
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    if (inString) {
      if (unit === BACKSLASH) index++
      else if (unit === QUOTE) inString = false
    } else if (unit === QUOTE) inString = true
    else if (unit === OPEN_BRACE || unit === OPEN_BRACKET) {
      if (++depth > limit) return true
    } else if (unit === CLOSE_BRACE || unit === CLOSE_BRACKET) depth--
  }
  return false
}

/** Reads one frame from a client. Never throws; the size was checked before. */
export function decodeCommand(text: string): DecodedCommand {
  if (isDeeperThan(text, MAX_JSON_DEPTH)) return refuse(`JSON nests deeper than ${MAX_JSON_DEPTH}`, undefined)
  const json = parseJson(text)
  if (!json.ok) return refuse('The frame is not JSON', undefined)
  const parsed = v.safeParse(CommandSchema, json.value, FIRST_IN_WORDS)
  return parsed.success ? { ok: true, command: parsed.output } : refuse(describe(parsed.issues[0]), json.value)
}

/** Reads one frame from the server; undefined when this client does not know its type. Throws `bad_frame` when it is not JSON. */
export function decodeServerFrame(text: string): ControlFrame | Envelope | undefined {
  const json = parseJson(text)
  if (!json.ok) throw new ParleyError('bad_frame')
  const envelope = v.safeParse(EnvelopeSchema, json.value)
  if (envelope.success) return envelope.output
  const control = v.safeParse(ControlFrameSchema, json.value)
  return control.success ? control.output : undefined
}

/** One numbered event; `epoch` and `seq` are the last position it covers. */
export function encodeEvent(epoch: string, seq: number, event: Event): string {
  return `{"id":"${epoch}-${seq}","chunk":${JSON.stringify(event)}}`
}

/** An event without a position: the opening of a run that a client joins in the middle. */
export function encodeSyntheticEvent(event: Event): string {
  return `{"chunk":${JSON.stringify(event)}}`
}

export function encodeControl(frame: ControlFrame): string {
  return JSON.stringify(frame)
}

/** `value` is anything at all. */
export function parseJson(text: string): { ok: true; value: unknown } | { ok: false } {
  try {
    return { ok: true, value: JSON.parse(text) }
  } catch {
    return { ok: false }
  }
}

const RefSchema = v.object({
  id: v.fallback(v.optional(ClientIdSchema), undefined),
  clientMessageId: v.fallback(v.optional(ClientIdSchema), undefined),
})

function refuse(message: string, frame: unknown): DecodedCommand {
  const { id, clientMessageId } = v.safeParse(RefSchema, frame).success ? v.parse(RefSchema, frame) : {}
  const ref = {
    ...(id === undefined ? {} : { ref: id }),
    ...(clientMessageId === undefined ? {} : { clientMessageId }),
  }
  return { ok: false, error: new ParleyError('bad_frame', { message }), ref }
}

/** Names the field and what is wrong with it, never the value. */
function describe(issue: v.BaseIssue<unknown>): string {
  const path = v.getDotPath(issue)
  if (path === 'type') return 'Unknown type of frame'
  return path === null ? 'The frame is not an object' : `${path}: ${issue.message}`
}
