import * as v from 'valibot'
import { check, faultIn } from './check.ts'
import { isDeeperThan, parseJson } from './codec.ts'
import { type RunResume, RunResumeSchema, ToolResultSchema } from './commands.ts'
import { ERRORS, type ErrorCode, ParleyError } from './errors.ts'
import type { Event } from './events.ts'
import { ClientIdSchema } from './ids.ts'
import { FIRST_IN_WORDS, IN_WORDS } from './in-words.ts'
import { MAX_JSON_DEPTH, MAX_PAGE_MESSAGES } from './limits.ts'
import { StorableText, UserContentSchema } from './messages.ts'

/**
 * The wire of TanStack AI's `webSocket()` client on our path (P-100 to P-108). Its query names the run, so the handshake
 * decides which of the two wires a connection speaks.
 */

/** User messages at the end of a client's history that are looked at: more than a person sends before an answer. */
const MAX_TRAILING_MESSAGES = 10
/** Results at its end: as many as one answer may hold. */
const MAX_TRAILING_RESULTS = MAX_PAGE_MESSAGES
/** As an offset: the run from its start. */
export const FROM_START = '-1'

/** What the query asks for; without `offset` the connection is a conversation. */
export type AliasQuery = { readonly runId: string; readonly offset?: string }

/** Undefined when the client does not speak this wire. */
export function readAliasQuery(query: URLSearchParams): AliasQuery | undefined {
  const [runId, offset] = [query.get('runId'), query.get('offset')]
  if (runId === null && offset === null) return undefined
  return { runId: check(ClientIdSchema, runId ?? '', 'runId'), ...(offset === null ? {} : { offset }) }
}

const UserMessageSchema = v.object({
  role: v.literal('user'),
  id: v.pipe(StorableText, v.minLength(1)),
  content: UserContentSchema,
})
export type AliasMessage = v.InferOutput<typeof UserMessageSchema>

/** What a tool of the page gave, as the client has it in its history. `error`: it failed. */
const ResultSchema = v.object({
  role: v.literal('tool'),
  toolCallId: ToolResultSchema.entries.toolCallId,
  content: StorableText,
  error: v.optional(StorableText),
})
export type AliasResult = Omit<v.InferOutput<typeof ResultSchema>, 'role'>
const ApprovalsSchema = v.union([RunResumeSchema.entries.resume, v.strictTuple([])])

const HasRoleSchema = v.object({ role: v.string() })
const HasRunIdSchema = v.object({ runId: ClientIdSchema })

/** AG-UI's RunAgentInput; what else it has (state, tools, context) is not read. */
const RunInputSchema = v.object({
  type: v.optional(v.never()),
  threadId: v.string(),
  runId: ClientIdSchema,
  messages: v.array(v.unknown()),
  resume: v.optional(v.array(v.unknown()), []),
})
const AbortSchema = v.object({ type: v.literal('abort'), runId: ClientIdSchema })

export type AliasFrame =
  | {
      readonly kind: 'run'
      readonly runId: string
      /** The user's messages after the last of anyone else, oldest first; at least one. */
      readonly messages: readonly [AliasMessage, ...AliasMessage[]]
    }
  | { readonly kind: 'abort'; readonly runId: string }
  /** Answers to calls that wait: what a person said to those that ask first, and what tools of the page gave. One at least. */
  | {
      readonly kind: 'resume'
      readonly runId: string
      readonly approvals: RunResume['resume']
      readonly results: readonly AliasResult[]
    }

export type DecodedAlias =
  | { readonly ok: true; readonly frame: AliasFrame }
  | { readonly ok: false; readonly error: ParleyError; readonly runId: string | undefined }

/** Reads one frame of a client. Never throws. */
export function decodeAlias(text: string): DecodedAlias {
  if (isDeeperThan(text, MAX_JSON_DEPTH)) return bad(`JSON nests deeper than ${MAX_JSON_DEPTH}`, undefined)
  const json = parseJson(text)
  if (!json.ok) return bad('The frame is not JSON', undefined)
  const abort = v.safeParse(AbortSchema, json.value)
  if (abort.success) return { ok: true, frame: { kind: 'abort', runId: abort.output.runId } }
  const input = v.safeParse(RunInputSchema, json.value, { abortEarly: true })
  if (!input.success) return bad('The frame is neither a RunAgentInput nor an abort', json.value)
  const { runId, messages, resume } = input.output
  const results = resultsIn(messages)
  if (resume.length > 0 || results.length > 0) {
    const approvals = v.safeParse(ApprovalsSchema, resume, IN_WORDS)
    if (!approvals.success) return bad(faultIn('resume', approvals.issues[0]), json.value)
    return { ok: true, frame: { kind: 'resume', runId, approvals: approvals.output, results } }
  }
  const parsed = v.safeParse(v.array(UserMessageSchema), trailing(messages), FIRST_IN_WORDS)
  if (!parsed.success) return bad(faultIn('messages', parsed.issues[0]), json.value)
  const [first, ...others] = parsed.output
  if (first === undefined) return bad('messages: the last is not a user message', json.value)
  return { ok: true, frame: { kind: 'run', runId, messages: [first, ...others] } }
}

/** One numbered event. Its client tells runs apart by `runId`, which AG-UI's RUN_ERROR has not. */
export function encodeAliasEvent(epoch: string, seq: number, event: Event, runId: string): string {
  return `{"id":"${epoch}-${seq}","chunk":${encodeAliasChunk(event, runId)}}`
}

/** An event without a position is bare: an envelope without `id` is unknown to these clients. */
export function encodeAliasChunk(event: Event, runId: string): string {
  return JSON.stringify(event.type === 'RUN_ERROR' ? { ...event, runId } : event)
}

/** A refusal. Without a `runId` its client takes it for all its runs. */
export function encodeAliasError(code: ErrorCode, runId: string | undefined, message?: string): string {
  const told = { message: message ?? ERRORS[code].message, code }
  return JSON.stringify({ type: 'RUN_ERROR', ...(runId === undefined ? {} : { runId }), ...told })
}

/** The last messages, as far back as they are results; what is none that can be taken is left out. */
function resultsIn(messages: readonly unknown[]): readonly AliasResult[] {
  const isTool = (message: unknown): boolean => v.is(HasRoleSchema, message) && message.role === 'tool'
  const last = messages.findLastIndex((message) => !isTool(message))
  return messages
    .slice(last + 1)
    .slice(-MAX_TRAILING_RESULTS)
    .flatMap((message) => {
      const parsed = v.safeParse(ResultSchema, message)
      return parsed.success ? [parsed.output] : []
    })
}

function trailing(messages: readonly unknown[]): readonly unknown[] {
  const last = messages.findLastIndex((message) => {
    const parsed = v.safeParse(HasRoleSchema, message)
    return !parsed.success || parsed.output.role !== 'user'
  })
  return messages.slice(last + 1).slice(-MAX_TRAILING_MESSAGES)
}

function bad(message: string, frame: unknown): DecodedAlias {
  const run = v.safeParse(HasRunIdSchema, frame)
  return {
    ok: false,
    error: new ParleyError('bad_frame', { message }),
    runId: run.success ? run.output.runId : undefined,
  }
}
