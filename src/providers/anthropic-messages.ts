import type {
  ContentBlockParam,
  MessageCreateParamsStreaming,
  MessageParam,
  TextBlockParam,
  ThinkingConfigParam,
  Tool,
} from '@anthropic-ai/sdk/resources/messages'
import type { ModelMessage, ModelRequest, Thinking, ToolSpec } from '../ports/provider.ts'
import type { StoredToolCall } from '../ports/store.ts'
import { parseArguments } from '../ports/tool-arguments.ts'
import { isBlank } from '../protocol/text.ts'

/** The provider's name, and the mark on the blocks that only it may see again. */
export const ANTHROPIC = 'anthropic'

/** Tokens. The API refuses a smaller thinking budget. */
const MIN_THINKING_TOKENS = 1024

/** Everything up to the marked block may be read from the cache by the next request. */
const CACHE_MARK = { type: 'ephemeral' } as const

type Turn = { readonly role: 'user' | 'assistant'; readonly content: ContentBlockParam[] }

/**
 * The body of `POST /v1/messages`. Three of the four cache marks that the API allows are used: the last tool, the preamble
 * and the last message, so that each round of a conversation reads what the one before it wrote. No sampling parameters:
 * this version of the API refuses them.
 */
export function toRequestBody(request: ModelRequest): MessageCreateParamsStreaming {
  const { model, system, tools, maxOutputTokens } = request
  const turns = toTurns(request.messages)
  const thinking = request.thinking && toThinking(request.thinking, maxOutputTokens, turns)
  return {
    model,
    max_tokens: maxOutputTokens,
    stream: true,
    ...(isBlank(system) ? {} : { system: [{ ...toText(system), cache_control: CACHE_MARK }] }),
    ...(tools.length === 0 ? {} : { tools: tools.map((spec, i) => toTool(spec, i === tools.length - 1)) }),
    ...(thinking && { thinking }),
    messages: markLast(turns),
  }
}

/**
 * A budget has to lie between the API's minimum and the output limit; where it cannot, there is no thinking. Nor while results go back
 * for calls that were not thought about first, as of another model or of an answer that was stopped: the API refuses that.
 */
function toThinking(thinking: Thinking, maxOutputTokens: number, turns: readonly Turn[]): ThinkingConfigParam {
  if (thinking.type === 'adaptive') return { type: 'adaptive', display: 'summarized' }
  const budget = Math.min(Math.max(thinking.budgetTokens, MIN_THINKING_TOKENS), maxOutputTokens - 1)
  if (budget < MIN_THINKING_TOKENS || !isThought(turns)) return { type: 'disabled' }
  return { type: 'enabled', budget_tokens: budget, display: 'summarized' }
}

/** Whether the answer that results go back to begins with thinking; true where none go back. */
function isThought(turns: readonly Turn[]): boolean {
  const start = turns.findLastIndex(({ role, content }) => role === 'user' && content[0]?.type !== 'tool_result')
  const first = turns[start + 1]?.content[0]?.type
  return first === undefined || first === 'thinking' || first === 'redacted_thinking'
}

function toTool(spec: ToolSpec, last: boolean): Tool {
  return {
    name: spec.name,
    description: spec.description,
    input_schema: { ...spec.parameters, type: 'object' },
    ...(last && { cache_control: CACHE_MARK }),
  }
}

/** Roles alternate: what follows in the same role joins the turn before; a message that says nothing is left out. */
function toTurns(messages: readonly ModelMessage[]): Turn[] {
  const turns: Turn[] = []
  for (const message of messages) {
    const content = toBlocks(message)
    if (content.length === 0) continue
    const role = message.role === 'assistant' ? 'assistant' : 'user'
    const last = turns.at(-1)
    if (last?.role === role) last.content.push(...content)
    else turns.push({ role, content })
  }
  return turns
}

function toBlocks(message: ModelMessage): ContentBlockParam[] {
  switch (message.role) {
    case 'user':
      return toTexts(message.content)
    case 'assistant': {
      const own = message.blocks?.provider === ANTHROPIC ? message.blocks.content.filter(isBlock) : []
      return own.length > 0 ? own : [...toTexts(message.content), ...message.toolCalls.map(toToolUse)]
    }
    case 'tool':
      return [
        {
          type: 'tool_result',
          tool_use_id: message.toolCallId,
          ...(message.content !== '' && { content: message.content }),
          ...(message.isError && { is_error: true }),
        },
      ]
  }
}

function toText(text: string): TextBlockParam {
  return { type: 'text', text }
}

/** The API refuses a text block without a visible character. */
function toTexts(text: string): TextBlockParam[] {
  return isBlank(text) ? [] : [toText(text)]
}

/** The API wants an object; a call whose arguments were cut or malformed is shown to the model as one without any. */
function toToolUse(call: StoredToolCall): ContentBlockParam {
  return { type: 'tool_use', id: call.id, name: call.name, input: parseArguments(call.arguments) ?? {} }
}

function markLast(turns: readonly Turn[]): MessageParam[] {
  const last = turns.at(-1)
  const block = last?.content.at(-1)
  // Thinking takes no mark; a turn that ends in it is a paused one, which is asked for once.
  if (last === undefined || block === undefined || block.type === 'thinking' || block.type === 'redacted_thinking')
    return [...turns]
  return [
    ...turns.slice(0, -1),
    { role: last.role, content: [...last.content.slice(0, -1), { ...block, cache_control: CACHE_MARK }] },
  ]
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Blocks come from our own store, where the API's own words were put; the shape within is the API's to check. */
function isBlock(value: unknown): value is ContentBlockParam {
  return isRecord(value) && typeof value['type'] === 'string'
}
