/** The documented rules of a Chat Completions request that a client breaks most easily. The API answers each with 400. */

type Fields = Readonly<Record<string, unknown>>

const NAME = /^[a-zA-Z0-9_-]{1,64}$/
const MAX_CALL_ID = 40
/** What reasoning models refuse. */
const REFUSED_FIELDS = ['temperature', 'top_p', 'presence_penalty', 'frequency_penalty']

/** What is wrong with the request, in words, or undefined. */
export function chatRefusalOf(body: Fields): string | undefined {
  if (typeof body.model !== 'string' || body.model === '') return 'you must provide a model parameter'
  if (body.stream !== true) return 'stream: this stub only streams'
  const limits = [body.max_tokens, body.max_completion_tokens].filter((limit) => limit !== undefined)
  if (limits.length > 1) return 'setting max_tokens and max_completion_tokens at the same time is not supported'
  if (limits.some((limit) => typeof limit !== 'number' || limit < 1)) return 'max_tokens: must be at least 1'
  const refused = REFUSED_FIELDS.find((field) => field in body)
  if (refused) return `unsupported value: ${refused}`
  if (Array.isArray(body.tools) && body.tools.length === 0) return '[] is too short - tools'
  for (const tool of listOf(body.tools)) {
    if (!isFields(tool.function) || typeof tool.function.name !== 'string' || !NAME.test(tool.function.name))
      return 'tools: function.name does not match the pattern'
  }
  return refusalOfMessages(listOf(body.messages))
}

function refusalOfMessages(messages: readonly Fields[]): string | undefined {
  if (messages.length === 0) return '[] is too short - messages'
  let open: string[] = []
  for (const [index, message] of messages.entries()) {
    if (message.role === 'tool') {
      if (!open.includes(String(message.tool_call_id))) return `messages.${index}: a result without its tool_calls`
      if (typeof message.content !== 'string') return `messages.${index}.content: expected a string`
      open = open.filter((id) => id !== message.tool_call_id)
      continue
    }
    if (open.length > 0) return `messages.${index}: tool_call_ids did not have response messages: ${open.join()}`
    const fault = refusalOfMessage(message)
    if (fault) return `messages.${index}: ${fault}`
    open = listOf(message.tool_calls).map(({ id }) => String(id))
    if (new Set(open).size !== open.length) return `messages.${index}: two calls with one id`
  }
  return open.length > 0 ? 'tool_call_ids did not have response messages' : undefined
}

function refusalOfMessage({ role, content, tool_calls: toolCalls }: Fields): string | undefined {
  if (role === 'system' || role === 'user')
    return typeof content === 'string' ? undefined : 'content: expected a string'
  if (role !== 'assistant') return 'role: unknown'
  if (typeof content !== 'string' && (content !== null || toolCalls === undefined)) return 'content: expected a string'
  if (Array.isArray(toolCalls) && toolCalls.length === 0) return '[] is too short - tool_calls'
  return listOf(toolCalls).map(refusalOfCall).find(Boolean)
}

function refusalOfCall({ id, type, function: called }: Fields): string | undefined {
  if (typeof id !== 'string' || id === '') return 'tool_calls.id: field required'
  if (id.length > MAX_CALL_ID) return 'tool_calls.id: string too long'
  if (type !== 'function' || !isFields(called)) return 'tool_calls.type: expected function'
  return typeof called.arguments === 'string' && isObjectJson(called.arguments)
    ? undefined
    : 'tool_calls.function.arguments: expected a JSON object'
}

function isObjectJson(json: string): boolean {
  try {
    return isFields(JSON.parse(json))
  } catch {
    return false
  }
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function listOf(value: unknown): readonly Fields[] {
  return Array.isArray(value) ? value.filter(isFields) : []
}
