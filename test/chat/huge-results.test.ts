import { describe, expect, it } from 'vitest'
import { callTool } from '../../src/chat/calls/tool-calls.ts'
import type { Tool } from '../../src/ports/tool.ts'
import { ChatRig, TEST_APP } from '../support/chat-rig.ts'
import { collectGarbage } from '../support/collect-garbage.ts'

const KIB = 1024
const MIB = 1024 * KIB
const HUGE = 50 * MIB
const LIMIT = 64 * KIB
const WIRE_LIMIT = 16 * KIB
const CALLS = 10

const HUGE_TOOL: Tool = {
  spec: { name: 'huge', description: 'Gives 50 MB', parameters: { type: 'object' } },
  execute: async () => Buffer.alloc(HUGE, 'abcdefgh').toString('latin1'),
}
/** Neither answers nor hears that it should stop. */
const HANGING_TOOL: Tool = {
  spec: { name: 'hanging', description: 'Hangs', parameters: { type: 'object' } },
  execute: () => new Promise(() => {}),
}

async function heapAndMore(): Promise<number> {
  await collectGarbage()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

describe('a tool that misbehaves', () => {
  it('I7: with results of 50 MB leaves no more of them in memory than was kept', async () => {
    const signal = new AbortController().signal
    const context = { sessionId: 's', app: 'default', runId: 'r', toolCallId: 't', signal }
    const limits = { toolDeadlineMs: 10_000, toolResultBytes: LIMIT }
    const before = await heapAndMore()
    const kept: string[] = []
    for (let calls = 0; calls < CALLS; calls++) {
      const outcome = await callTool(HUGE_TOOL, { id: 't', name: 'huge', arguments: '{}' }, context, limits, () => {})
      kept.push(outcome.content)
    }
    expect((await heapAndMore()) - before).toBeLessThan(HUGE / 2)
    expect(kept.map((content) => content.length)).toEqual(Array.from({ length: CALLS }, () => LIMIT))
  })

  it('I1 I5 I7: a hanging one and one of 50 MB are answered beside one another, cut for the model and the wire', async () => {
    const rig = new ChatRig({
      tools: [HUGE_TOOL, HANGING_TOOL],
      app: {
        tools: ['huge', 'hanging'].map((name) => ({ kind: 'server', name, ask: false })),
        model: { ...TEST_APP.model, contextTokens: 100_000 },
      },
      settings: { toolDeadlineMs: 200, toolResultBytes: LIMIT },
    })
    const client = await rig.ready()
    await client.say('m1')
    ;(await rig.model.request(0)).call('t1', 'huge', {}).call('t2', 'hanging', {}).stop('tools')
    const { messages } = (await rig.model.request(1)).request
    const results = messages.filter((message) => message.role === 'tool')
    expect(results).toMatchObject([
      { toolCallId: 't1', isError: false, content: expect.stringMatching(/cut here\.\]$/) },
      { toolCallId: 't2', isError: true, content: 'No result within 0.2 seconds.' },
    ])
    expect(results[0]?.content.length).toBe(LIMIT)
    rig.model.streams[1]?.say('So it is.').stop()
    expect(await client.end()).toMatchObject({ type: 'RUN_FINISHED', outcome: { type: 'success' } })
    expect(client.terminals).toHaveLength(1)
    const shown = client.events.filter((event) => event.type === 'TOOL_CALL_RESULT')
    expect(shown.map(({ content }) => content.length).toSorted((a, b) => a - b)).toEqual([29, WIRE_LIMIT])
  })
})
