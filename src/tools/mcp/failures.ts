import { ToolError } from '../../ports/tool.ts'
import { toStorable, truncateUtf8 } from '../../protocol/text.ts'
import { ToolSetupError } from '../http/guard.ts'
import type { Sdk } from './sdk.ts'

/** Bytes of what a server says went wrong that the model gets to see. */
const MAX_REFUSAL_BYTES = 2000
const HTTP_NOT_FOUND = 404

/** The server has forgotten the session, and did nothing: the call may be made in a new one. */
export class SessionGone extends ToolError {}

/** What the model may know of it, without secrets; what is for the operator stays as it is. */
export function failureOf(thrown: unknown, sdk: Sdk, clean: (text: string) => string): Error {
  if (thrown instanceof ToolSetupError || thrown instanceof SessionGone) return thrown
  if (thrown instanceof sdk.StreamableHTTPError && thrown.code === HTTP_NOT_FOUND)
    return new SessionGone('There is no server at the address, or it has forgotten us.', { cause: thrown })
  return new ToolError(truncateUtf8(clean(toStorable(sentenceOf(thrown, sdk))), MAX_REFUSAL_BYTES), { cause: thrown })
}

/** An error that the server answered with, which shows that it lives. */
export function isItsOwn(thrown: unknown, { McpError, ErrorCode }: Sdk): thrown is Error {
  const closed: number = ErrorCode.ConnectionClosed
  return thrown instanceof McpError && thrown.code !== closed
}

function sentenceOf(thrown: unknown, sdk: Sdk): string {
  if (thrown instanceof ToolError) return thrown.message
  if (isItsOwn(thrown, sdk)) return `The server refused: ${thrown.message}`
  if (thrown instanceof sdk.StreamableHTTPError) return `The server refused. ${thrown.message}`
  if (thrown instanceof sdk.McpError) return 'The server went away before it had a result; the tool may have run.'
  return 'The server cannot be reached, or answered in a form that is not known.'
}
