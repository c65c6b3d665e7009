import { describe, expect, it, vi } from 'vitest'
import type { App } from '../../src/ports/apps.ts'
import type { Sender } from '../../src/ports/conversations.ts'
import type { Tools } from '../../src/ports/tool.ts'
import { ParleyError } from '../../src/protocol/errors.ts'
import { ANYONE, ChatRig, ECHO, type RigOptions, SlowTool } from '../support/chat-rig.ts'
import { turns } from '../support/turns.ts'

const SENDER: Sender = { principal: ANYONE, from: { address: '127.0.0.1', forwarded: false } }
const MCP: NonNullable<App['mcp']> = [
  {
    name: 'far',
    at: { kind: 'http', url: 'https://mcp.example/', headers: [] },
    ask: false,
    timeoutMs: 1000,
    maxBytes: 1000,
    context: [],
  },
]

function rigWith(options: RigOptions = {}) {
  const rig = new ChatRig(options)
  const leave = new AbortController()
  const call = (name: string) =>
    rig.chat.conversations.callTool(SENDER, 'default', { name, args: { a: 1 }, signal: leave.signal })
  return { rig, leave, call }
}

describe('a call that no model made', () => {
  it('takes a place among the runs of its sender, and gives it back, also where there is no such tool', async () => {
    const release = vi.fn<() => void>()
    const { call } = rigWith({ admitRun: async () => release })
    expect(await call('echo')).toEqual({ text: '{"a":1}', isError: false })
    expect(release).toHaveBeenCalledTimes(1)
    expect(await call('none')).toBeUndefined()
    expect(release).toHaveBeenCalledTimes(2)
  })

  it('asks no MCP server before it is admitted', async () => {
    const listed = vi.fn<Tools['listed']>(async () => [{ tool: ECHO, ask: false }])
    let isFull = true
    const admitRun = async () => {
      if (isFull) throw new ParleyError('rate_limit_exceeded')
      return () => {}
    }
    const { call } = rigWith({ tools: [], listed, admitRun, app: { tools: [], mcp: MCP } })
    await expect(call('echo')).rejects.toMatchObject({ code: 'rate_limit_exceeded' })
    expect(listed).not.toHaveBeenCalled()
    isFull = false
    expect(await call('echo')).toEqual({ text: '{"a":1}', isError: false })
  })

  it('ends when its caller leaves: the wait for MCP servers, and the call itself', async () => {
    const signals: AbortSignal[] = []
    const slow = new SlowTool()
    const listed: Tools['listed'] = async (_app, signal) => {
      signals.push(signal)
      return []
    }
    const { leave, call } = rigWith({ tools: [slow], listed, app: { mcp: MCP } })
    const answer = call('slow')
    const { context } = await slow.call()
    leave.abort()
    await turns()
    expect([context.signal.aborted, signals[0]?.aborted]).toEqual([true, true])
    expect(await answer).toMatchObject({ isError: true })
  })
})
