import { describe, expect, it, vi } from 'vitest'
import { callTool, STOPPED } from '../../src/chat/calls/tool-calls.ts'
import { type Tool, type ToolContext, ToolError } from '../../src/ports/tool.ts'
import { SlowTool, stopClock } from '../support/chat-rig.ts'

const LIMITS = { toolDeadlineMs: 30_000, toolResultBytes: 100 }

function run(tool: Tool | undefined, args = '{"a":1}', signal = new AbortController().signal) {
  const reported: unknown[] = []
  const context: ToolContext = { sessionId: 's', app: 'default', runId: 'r', toolCallId: 't', signal }
  const call = { id: 't', name: 'tool', arguments: args }
  return { reported, outcome: callTool(tool, call, context, LIMITS, (cause) => reported.push(cause)) }
}

const toolOf = (execute: Tool['execute']): Tool => ({
  spec: { name: 'tool', description: '', parameters: {} },
  execute,
})

describe('a call of a tool', () => {
  it('gets its arguments as an object; none are an empty one', async () => {
    const seen: unknown[] = []
    const tool = toolOf(async (args) => String(seen.push(args)))
    await run(tool).outcome
    await run(tool, ' ').outcome
    expect(seen).toEqual([{ a: 1 }, {}])
  })

  it.each(['{"a":', '[1]', '"x"', 'null'])(
    'with the arguments %s is a result that the model can read, not executed',
    async (args) => {
      const execute = vi.fn<Tool['execute']>(async () => 'x')
      expect(await run(toolOf(execute), args).outcome).toEqual({
        content: 'The arguments are not a JSON object.',
        isError: true,
      })
      expect(execute).not.toHaveBeenCalled()
    },
  )

  it('that is too deep for any API is not executed either', async () => {
    const { isError } = await run(
      toolOf(async () => 'x'),
      `{"a":${'['.repeat(101)}${']'.repeat(101)}}`,
    ).outcome
    expect(isError).toBe(true)
  })

  it('gets no half characters and no NUL', async () => {
    const execute = vi.fn<Tool['execute']>(async () => 'x')
    await run(toolOf(execute), '{"a":"\\ud83e\\u0000"}').outcome
    expect(execute.mock.calls[0]?.[0]).toEqual({ a: '\uFFFD\uFFFD' })
  })

  it('of a tool that is not there says so', async () => {
    expect(await run(undefined).outcome).toEqual({ content: 'There is no tool named tool.', isError: true })
  })

  it('that fails tells the model what was meant for it', async () => {
    const tool = toolOf(() => Promise.reject(new ToolError('no such city')))
    expect(await run(tool).outcome).toEqual({ content: 'no such city', isError: true })
  })

  it.each([
    ['rejects', toolOf(() => Promise.reject(new Error('secret')))],
    [
      'throws',
      toolOf(() => {
        throw new Error('secret')
      }),
    ],
  ])('I11: that %s by a bug tells the model nothing of it, and the operator all', async (_how, tool) => {
    const { reported, outcome } = run(tool)
    expect(await outcome).toEqual({ content: 'The tool failed.', isError: true })
    expect(reported).toMatchObject([{ message: 'secret' }])
  })

  it('is cut to its size, between characters, and marked', async () => {
    const { content } = await run(toolOf(async () => '🦜'.repeat(100))).outcome
    expect(content).toMatch(/^(🦜)+\n\[The result was longer and is cut here\.\]$/u)
    expect(new TextEncoder().encode(content).length).toBeLessThanOrEqual(LIMITS.toolResultBytes)
    const long = await run(toolOf(() => Promise.reject(new ToolError('x'.repeat(1000))))).outcome
    expect(long.content.length).toBeLessThanOrEqual(LIMITS.toolResultBytes)
  })

  it('replaces what no store takes', async () => {
    expect((await run(toolOf(async () => 'a\0b\ud83e')).outcome).content).toBe('a\uFFFDb\uFFFD')
  })

  it('that takes too long is given up, and told to stop', async () => {
    stopClock()
    const tool = new SlowTool()
    const { outcome } = run(tool)
    await vi.advanceTimersByTimeAsync(LIMITS.toolDeadlineMs)
    expect(await outcome).toEqual({ content: 'No result within 30 seconds.', isError: true })
    expect(tool.calls[0]?.context.signal.aborted).toBe(true)
    tool.calls[0]?.reject(new Error('late'))
  })

  it('of a run that was stopped stops, and does not begin', async () => {
    const tool = new SlowTool()
    const controller = new AbortController()
    const { outcome } = run(tool, '{}', controller.signal)
    controller.abort()
    expect(await outcome).toEqual(STOPPED)
    expect(await run(tool, '{}', controller.signal).outcome).toEqual(STOPPED)
    expect(tool.calls).toHaveLength(1)
    expect(tool.calls[0]?.context.signal.aborted).toBe(true)
  })
})
