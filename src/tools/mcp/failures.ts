import { ToolError } from '../../ports/tool.ts'
import { toStorable, truncateUtf8 } from '../../protocol/text.ts'
import { ToolSetupError } from '../http/guard.ts'
import type { Sdk } from './sdk.ts'

/** Bytes of what a server says went wrong that the model gets to see. */
const MAX_REFUSAL_BYTES = 2000
const HTTP_NOT_FOUND = 404

/** The server has forgotten the session, and did nothing: the call may be made in a new one. */
export class SessionGone extends ToolError {}

/** Whose failure it is. */
type Broken = {
  readonly sdk: Sdk
  readonly clean: (text: string) => string
  /** The connection has ended. */
  readonly isClosed: boolean
}

/** What the model may know of it, without secrets; what is for the operator stays as it is. */
export function failureOf(thrown: unknown, broken: Broken): Error {
  const { sdk, clean } = broken
  if (thrown instanceof ToolSetupError || thrown instanceof SessionGone) return thrown
  if (thrown instanceof sdk.StreamableHTTPError && thrown.code === HTTP_NOT_FOUND)
    return new SessionGone('There is no server at the address, or it has forgotten us.', { cause: thrown })
  return new ToolError(truncateUtf8(clean(toStorable(sentenceOf(thrown, broken))), MAX_REFUSAL_BYTES), {
    cause: thrown,
  })
}

/** An error that the server answered with. Servers use the code by which the SDK tells an end, too. */
function isItsOwn(thrown: unknown, { sdk, isClosed }: Broken): thrown is Error {
  const closed: number = sdk.ErrorCode.ConnectionClosed
  return thrown instanceof sdk.McpError && !(isClosed && thrown.code === closed)
}

function sentenceOf(thrown: unknown, broken: Broken): string {
  const { sdk } = broken
  if (thrown instanceof ToolError) return thrown.message
  if (isItsOwn(thrown, broken)) return `The server refused: ${thrown.message}`
  if (thrown instanceof sdk.StreamableHTTPError) return `The server refused. ${thrown.message}`
  if (thrown instanceof sdk.McpError) return 'The server went away before it had a result; the tool may have run.'
  return 'The server cannot be reached, or answered in a form that is not known.'
}
