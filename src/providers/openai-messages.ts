import type {
  ChatCompletionAssistantMessageParam,
  ChatCompletionCreateParamsStreaming,
  ChatCompletionFunctionTool,
  ChatCompletionMessageFunctionToolCall,
  ChatCompletionMessageParam,
} from 'openai/resources/chat/completions'
import type { ModelMessage, ModelRequest, ToolSpec } from '../ports/provider.ts'
import type { StoredToolCall } from '../ports/store.ts'
import { isBlank } from '../protocol/text.ts'
import { keptIn, NO_THOUGHTS, type Thoughts } from './openai-thoughts.ts'
import { toCallId } from './upstream-call-ids.ts'

/** What a model of this API has to be asked in its own way. */
export type Dialect = {
  /** OpenAI's newer models refuse the first, most other servers know nothing but the first. */
  readonly limit: 'max_tokens' | 'max_completion_tokens'
  /** Models that take tools here only while they do not reason. */
  readonly toolsWithoutReasoning: boolean
  /** What was thought goes back where it was kept; with every answer, for servers that miss it; or never, for those that refuse it. */
  readonly thoughts: 'kept' | 'always' | 'never'
}

/** Between messages of one role that become one, and the same that people put between paragraphs. */
const PARAGRAPH = '\n\n'

/**
 * The body of `POST /chat/completions`. No sampling parameters: reasoning models refuse them. No thinking: its budget has
 * no counterpart here.
 */
export function toRequestBody(request: ModelRequest, dialect: Dialect): ChatCompletionCreateParamsStreaming {
  const { model, system, tools, maxOutputTokens } = request
  const preamble: ChatCompletionMessageParam[] = isBlank(system) ? [] : [{ role: 'system', content: system }]
  return {
    model,
    stream: true,
    stream_options: { include_usage: true },
    [dialect.limit]: maxOutputTokens,
    messages: [...preamble, ...toMessages(request, dialect)],
    ...(tools.length === 0 ? {} : { tools: tools.map(toTool) }),
    ...(tools.length > 0 && dialect.toolsWithoutReasoning && { reasoning_effort: 'none' as const }),
  }
}

function toTool({ name, description, parameters }: ToolSpec): ChatCompletionFunctionTool {
  return { type: 'function', function: { name, description, parameters: { ...parameters, type: 'object' } } }
}

/**
 * Blocks of other providers stay behind, they are not of this API. The chat templates of many open models refuse two
 * messages of one role in a row, so those become one; a message that says nothing is left out.
 */
function toMessages({ model, messages }: ModelRequest, dialect: Dialect): ChatCompletionMessageParam[] {
  const out: ChatCompletionMessageParam[] = []
  for (const message of messages) {
    const next = toMessage(message, model, dialect)
    const joined = next && join(out.at(-1), next)
    if (joined !== undefined) out[out.length - 1] = joined
    else if (next !== undefined) out.push(next)
  }
  return out
}

function toMessage(message: ModelMessage, model: string, dialect: Dialect): ChatCompletionMessageParam | undefined {
  const said = !isBlank(message.content)
  switch (message.role) {
    case 'user':
      return said ? { role: 'user', content: message.content } : undefined
    case 'assistant': {
      const kept = dialect.thoughts === 'never' ? {} : keptIn(message.blocks, model)
      const calls = message.toolCalls.map((call) => toCall(call, kept.extras?.[call.id]))
      const thoughts = dialect.thoughts === 'always' ? withThoughts(kept.thoughts) : kept.thoughts
      if (calls.length === 0) return said ? { role: 'assistant', content: message.content, ...thoughts } : undefined
      return { role: 'assistant', content: said ? message.content : null, tool_calls: calls, ...thoughts }
    }
    case 'tool': {
      // The API has no word for a result that is a failure.
      const content = message.isError ? `Error: ${message.content}` : message.content
      return { role: 'tool', tool_call_id: toCallId(message.toolCallId), content }
    }
  }
}

function withThoughts(kept: Thoughts = {}): Thoughts {
  return 'reasoning_content' in kept || 'reasoning' in kept ? kept : { ...kept, ...NO_THOUGHTS }
}

/** Both as one message, where they may be. An assistant's goes on in the next one only before it has called a tool. */
function join(
  last: ChatCompletionMessageParam | undefined,
  next: ChatCompletionMessageParam,
): ChatCompletionMessageParam | undefined {
  if (last?.role === 'user' && next.role === 'user') return { role: 'user', content: both(last, next) }
  if (last?.role !== 'assistant' || next.role !== 'assistant' || last.tool_calls !== undefined) return undefined
  return { ...last, ...next, content: both(last, next) }
}

type Said = Pick<ChatCompletionAssistantMessageParam, 'content'> | { readonly content: unknown }

function both(...messages: readonly Said[]): string {
  return messages.flatMap(({ content }) => (typeof content === 'string' ? [content] : [])).join(PARAGRAPH)
}

function toCall(
  { id, name, arguments: args }: StoredToolCall,
  extra: unknown,
): ChatCompletionMessageFunctionToolCall & { readonly extra_content?: unknown } {
  const call = { name, arguments: isBlank(args) ? '{}' : args }
  return { id: toCallId(id), type: 'function', function: call, ...(extra !== undefined && { extra_content: extra }) }
}
