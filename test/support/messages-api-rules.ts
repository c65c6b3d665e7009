/** The documented rules of a Messages request that a client breaks most easily. The API answers each with 400. */

type Fields = Readonly<Record<string, unknown>>

/** Sampling parameters that the API version of the SDK in use refuses. */
const REFUSED_FIELDS = ['temperature', 'top_p', 'top_k']

const TOOL_NAME = /^[a-zA-Z0-9_-]{1,128}$/

/** What is wrong with the request, in words, or undefined. */
export function refusalOf(body: Fields): string | undefined {
  if (typeof body.model !== 'string' || body.model === '') return 'model: field required'
  if (typeof body.max_tokens !== 'number' || body.max_tokens < 1) return 'max_tokens: must be at least 1'
  if (body.stream !== true) return 'stream: this stub only streams'
  const refused = REFUSED_FIELDS.find((field) => field in body)
  if (refused) return `${refused}: not accepted`
  for (const tool of listOf(body.tools)) {
    if (typeof tool.name !== 'string' || !TOOL_NAME.test(tool.name)) return 'tools: name does not match the pattern'
  }
  return refusalOfMessages(listOf(body.messages))
}

function refusalOfMessages(messages: readonly Fields[]): string | undefined {
  if (messages.length === 0) return 'messages: at least one message is required'
  if (messages[0]?.role !== 'user') return 'messages: first message must use the "user" role'
  let asked: string[] = []
  for (const [index, message] of messages.entries()) {
    if (message.role !== 'user' && message.role !== 'assistant') return `messages.${index}.role: unknown`
    const blocks = blocksOf(message)
    const last = index === messages.length - 1
    if (blocks.length === 0 && !(last && message.role === 'assistant')) return `messages.${index}: content is empty`
    const fault = blocks.map((block) => refusalOfBlock(block)).find(Boolean) ?? refusalOfResults(blocks, asked)
    if (fault) return `messages.${index}: ${fault}`
    asked = blocks.filter((block) => block.type === 'tool_use').map((block) => String(block.id))
  }
  return asked.length > 0 ? '`tool_use` ids were found without `tool_result` blocks immediately after' : undefined
}

function refusalOfBlock(block: Fields): string | undefined {
  if (block.type === 'text') {
    return typeof block.text === 'string' && block.text.trim() !== ''
      ? undefined
      : 'text content blocks must be non-empty'
  }
  if (block.type === 'thinking') {
    return typeof block.signature === 'string' && block.signature !== ''
      ? undefined
      : 'thinking.signature: field required'
  }
  return undefined
}

/** Results answer exactly the calls of the message before, and come before any other block. */
function refusalOfResults(blocks: readonly Fields[], asked: readonly string[]): string | undefined {
  const results = blocks.filter((block) => block.type === 'tool_result').map((block) => String(block.tool_use_id))
  if (results.some((id) => !asked.includes(id))) return 'unexpected `tool_use_id` found in `tool_result` blocks'
  if (new Set(results).size !== results.length) return 'each `tool_use` must have a single result'
  if (asked.some((id) => !results.includes(id))) return '`tool_use` ids were found without `tool_result` blocks'
  const ordered = blocks.slice(0, results.length).every((block) => block.type === 'tool_result')
  return ordered ? undefined : '`tool_result` blocks must come first'
}

function blocksOf(message: Fields): readonly Fields[] {
  if (typeof message.content !== 'string') return listOf(message.content)
  return message.content === '' ? [] : [{ type: 'text', text: message.content }]
}

function listOf(value: unknown): readonly Fields[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'object' && item !== null) : []
}
