import { expect } from 'vitest'
import { type Tool, type ToolContext, ToolError } from '../../src/ports/tool.ts'

export const CONTEXT: ToolContext = {
  sessionId: '00000000-0000-4000-8000-000000000000',
  app: 'default',
  runId: 'run',
  toolCallId: 'call',
  signal: new AbortController().signal,
}

export function run(tool: Tool, args: unknown): Promise<string> {
  return tool.execute(args, CONTEXT)
}

/** What a tool tells the model that it could not do. Anything else that it throws fails the test. */
export async function refusalOf(tool: Tool, args: unknown): Promise<string> {
  const thrown: unknown = await run(tool, args).then(
    (result) => new Error(`the tool answered: ${result}`),
    (error: unknown) => error,
  )
  expect(thrown).toBeInstanceOf(ToolError)
  return thrown instanceof Error ? thrown.message : ''
}
