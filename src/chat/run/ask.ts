import type { ModelEvent, ModelRequest, Provider, StopReason } from '../../ports/provider.ts'
import type { MessageRow, SessionRow } from '../../ports/store.ts'
import { ParleyError } from '../../protocol/errors.ts'
import type { OfferedTool } from '../calls/offered-tools.ts'
import { ownKeys } from '../calls/own-secrets.ts'
import type { Core } from '../core.ts'
import { buildContext } from './context.ts'
import type { Draft } from './draft.ts'
import type { ModelLine } from './model-line.ts'
import type { RunPlan } from './run-plan.ts'
import type { UsageMeter } from './usage.ts'

/** What one model request needs of its run. */
export interface AskHost {
  readonly core: Core
  readonly plan: RunPlan
  readonly session: SessionRow
  readonly usage: UsageMeter
  readonly signal: AbortSignal
  /** The end is decided: what the model still says is not heard. */
  readonly ended: boolean
  /** A model has said something in this run. */
  readonly said: boolean
  /** The conversation up to here, oldest first. */
  conversation(): readonly MessageRow[]
  /** A new draft for this request's answer. */
  openDraft(): Draft
  /** Sees every event before the draft does. */
  heard(event: ModelEvent): void
  /** Shows what the draft said. */
  flush(): void
  /** As `flush`, where many watch it in turns of the loop; then when that is done. */
  show(): Promise<void> | undefined
}

/**
 * UTF-16 units of one answer, by its tokens, and at least: far above what tokens are (about four), so that only a model that
 * ignores its limit meets it. Its text must not fill the memory until the run's time is over (I7).
 */
const MAX_UNITS_PER_TOKEN = 16
const MIN_ANSWER_LIMIT = 4 * 1024 * 1024
/** Tool calls of one answer: above what any model makes (I7). */
const MAX_CALLS = 128
/** What does not change when the history has to be shorter. */
type Answer = AsyncIterable<readonly ModelEvent[]>
type Asked = Pick<ModelRequest, 'model' | 'apiKey' | 'standby'> & { readonly tools: readonly OfferedTool[] }

/** Share of the context that is tried when the whole did not fit the model's window. */
const SMALLER_CONTEXT = 0.5

/**
 * Asks the model whose turn it is; the next in line when that one's provider cannot answer. From the first token on the run
 * is its model's to the end: nobody reads an answer of two voices, and its usage is that of one model.
 */
export async function askInLine(host: AskHost, line: ModelLine, tools: readonly OfferedTool[]): Promise<StopReason> {
  for (;;) {
    const { provider, ...asked } = line.resolve(await ownKeys(host.core, host.session))
    if (host.ended) return 'end'
    const standby = line.hasNext && !host.said
    try {
      return await ask(host, provider, { ...asked, tools, ...(standby && { standby }) })
    } catch (thrown) {
      const from = line.name
      if (host.ended || host.said || !line.advance(thrown)) throw thrown
      host.usage.drop()
      const fields = { run: host.plan.row.id, from, to: line.name }
      host.core.telemetry.log('warn', 'model fallback', fields, thrown)
      host.core.telemetry.count('model_fallbacks_total')
    }
  }
}

/** Streams one answer into a draft; asked again with a shorter history, once, when it does not fit the model. */
async function ask(host: AskHost, provider: Provider, asked: Asked): Promise<StopReason> {
  const { contextTokens } = host.plan.app.model
  const first = await attempt(host, begin(host, provider, asked, contextTokens))
  if (first !== 'too-long') return first
  const second = await attempt(host, begin(host, provider, asked, contextTokens * SMALLER_CONTEXT))
  if (second === 'too-long') throw new ParleyError('context_too_long')
  return second
}

/** `too-long` only when the model said nothing yet. */
async function attempt(host: AskHost, answer: Answer): Promise<StopReason | 'too-long'> {
  const draft = host.openDraft()
  try {
    const reason = await stream(host, draft, answer)
    return reason === 'context' && draft.rows().length === 0 ? 'too-long' : reason
  } catch (thrown) {
    const tooLong = thrown instanceof ParleyError && thrown.code === 'context_too_long'
    if (tooLong && draft.rows().length === 0) return 'too-long'
    throw thrown
  }
}

/**
 * An answer that is about to be asked for. In a function of its own, so that nothing of this run's holds the request, which is as
 * long as the conversation, while its answer streams: what lives that long is copied by the garbage collector.
 */
function begin(host: AskHost, provider: Provider, asked: Asked, contextTokens: number): Answer {
  return provider.stream(requestOf(host, asked, contextTokens), host.signal)
}

function requestOf(host: AskHost, { tools, ...asked }: Asked, contextTokens: number): ModelRequest {
  const { core, plan } = host
  const { preamble, model: config } = plan.app
  const specs = tools.map(({ spec }) => spec)
  const limits = { contextTokens, toolResultBytes: core.settings.toolResultBytes }
  const messages = buildContext(host.conversation(), preamble, specs, limits)
  const thinking = config.thinking === undefined ? {} : { thinking: config.thinking }
  return { ...asked, system: preamble, messages, tools: specs, maxOutputTokens: config.maxOutputTokens, ...thinking }
}

async function stream(host: AskHost, draft: Draft, answer: Answer): Promise<StopReason> {
  let room = Math.max(MIN_ANSWER_LIMIT, host.plan.app.model.maxOutputTokens * MAX_UNITS_PER_TOKEN)
  let calls = 0
  for await (const events of answer) {
    for (const event of events) {
      if (host.ended) return 'end'
      host.heard(event)
      if ('delta' in event) room -= event.delta.length
      if (event.type === 'tool.start') calls += 1
      if (room < 0 || calls > MAX_CALLS) throw new ParleyError('run_limit')
      draft.apply(event)
      if (event.type === 'stop') return stopped(host, draft, event.reason)
    }
    const told = host.show()
    if (told !== undefined) await told
  }
  throw new ParleyError('provider_error', { message: 'The model stopped in the middle of its answer' })
}

function stopped(host: AskHost, draft: Draft, reason: StopReason): StopReason {
  draft.close()
  host.flush()
  if (reason === 'refusal') throw new ParleyError('model_refusal')
  return reason === 'tools' && draft.calls.length === 0 ? 'end' : reason
}
