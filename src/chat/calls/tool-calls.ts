import type { StoredToolCall } from '../../ports/store.ts'
import { type Tool, type ToolContext, ToolError } from '../../ports/tool.ts'
import { parseArguments } from '../../ports/tool-arguments.ts'
import { fitsUtf8, toStorable, truncateUtf8 } from '../../protocol/text.ts'

export type ToolOutcome = { readonly content: string; readonly isError: boolean }
export type ToolLimits = { readonly toolDeadlineMs: number; readonly toolResultBytes: number }

const CUT_MARK = '\n[The result was longer and is cut here.]'
/** The result of a call that was on, or never began, when its run was stopped. */
export const STOPPED: ToolOutcome = {
  content: 'The run was stopped before this call had a result; the tool may have run.',
  isError: true,
}

/**
 * One call, with a deadline and a size cap. Never throws: what goes wrong is a result that the model can read. `report` gets
 * what a tool threw that was not meant for the model.
 */
export async function callTool(
  tool: Tool | undefined,
  call: StoredToolCall,
  context: ToolContext,
  limits: ToolLimits,
  report: (cause: unknown) => void,
): Promise<ToolOutcome> {
  if (tool === undefined) return failure(`There is no tool named ${call.name.slice(0, 100)}.`)
  const args = parseArguments(call.arguments)
  if (args === undefined) return failure('The arguments are not a JSON object.')
  if (context.signal.aborted) return STOPPED
  const deadline = new AbortController()
  const stop = (): void => deadline.abort(context.signal.reason)
  context.signal.addEventListener('abort', stop, { once: true })
  const timer = setTimeout(
    () => deadline.abort(new ToolError(`No result within ${limits.toolDeadlineMs / 1000} seconds.`)),
    limits.toolDeadlineMs,
  )
  try {
    const content = await Promise.race([
      tool.execute(args, { ...context, signal: deadline.signal }),
      rejectOnAbort(deadline.signal),
    ])
    return { content: cap(toStorable(content), limits.toolResultBytes), isError: false }
  } catch (thrown) {
    if (context.signal.aborted) return STOPPED
    if (thrown instanceof ToolError) return failure(cap(toStorable(thrown.message), limits.toolResultBytes))
    report(thrown)
    return failure('The tool failed.')
  } finally {
    clearTimeout(timer)
    context.signal.removeEventListener('abort', stop)
  }
}

function failure(content: string): ToolOutcome {
  return { content, isError: true }
}

/** A result's text within its bound, marked where it was cut. */
export function cap(text: string, limit: number): string {
  return fitsUtf8(text, limit) ? text : truncateUtf8(text, limit - CUT_MARK.length) + CUT_MARK
}

function rejectOnAbort(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
}
