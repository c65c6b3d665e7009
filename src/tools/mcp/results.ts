import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js'
import { ToolError } from '../../ports/tool.ts'
import { toStorable, truncateUtf8 } from '../../protocol/text.ts'

/** Bytes of a name or address in a line about something that is no text. */
const MAX_LABEL_BYTES = 200
/** Characters of base64 for each three bytes. */
const [BASE64_CHARACTERS, BASE64_BYTES] = [4, 3]

type Content = CallToolResult['content'][number]

/** The result for the model, without secrets. Throws ToolError with the same text where the server says that the call failed. */
export function toText(result: CallToolResult, clean: (text: string) => string): string {
  const text = result.content.map(describe).join('\n')
  const said = text === '' && result.structuredContent !== undefined ? JSON.stringify(result.structuredContent) : text
  const whole = clean(toStorable(said === '' ? '(The tool answered without a text.)' : said))
  if (result.isError === true) throw new ToolError(whole)
  return whole
}

/** Models of this server read text: of what is none they are told that it is there. */
function describe(content: Content): string {
  switch (content.type) {
    case 'text':
      return content.text
    case 'image':
    case 'audio':
      return `[${content.type}, ${label(content.mimeType)}, ${sizeOf(content.data)} bytes]`
    case 'resource_link':
      return `[resource ${label(content.uri)}: ${label(content.name)}]`
    case 'resource': {
      const { resource } = content
      const kind = resource.mimeType === undefined ? '' : `, ${label(resource.mimeType)}`
      if ('text' in resource) return `[resource ${label(resource.uri)}${kind}]\n${resource.text}`
      return `[resource ${label(resource.uri)}${kind}, ${sizeOf(resource.blob)} bytes]`
    }
  }
}

function label(text: string): string {
  return truncateUtf8(text.replaceAll(/\s+/g, ' '), MAX_LABEL_BYTES)
}

function sizeOf(base64: string): number {
  return Math.floor((base64.length / BASE64_CHARACTERS) * BASE64_BYTES)
}
