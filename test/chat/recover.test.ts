import { randomUUID } from 'node:crypto'
import { describe, expect, it, vi } from 'vitest'
import { OUTCOME_UNKNOWN } from '../../src/chat/run/context.ts'
import { ChatRig, ECHO, type RigOptions, SlowTool, stopClock } from '../support/chat-rig.ts'
import { turns } from '../support/turns.ts'

const settings = { checkpointMs: 1000 }

async function begin(options: RigOptions = {}) {
  stopClock()
  const rig = new ChatRig({ settings, ...options })
  const id = randomUUID()
  const client = await rig.ready(id)
  await client.say('m1')
  return { rig, id, client, stream: await rig.model.request(0) }
}

describe('a session whose process died', () => {
  it('I1: ends the run as interrupted, keeps the answer so far, marked, and goes on', async () => {
    const { rig, id, stream } = await begin()
    stream.think('hm').say('half of the answer')
    await rig.pass(1500)
    stream.say(' and what no checkpoint had')
    const next = rig.crash()
    const client = await next.ready(id)
    expect(client.last('session.ready')).toMatchObject({
      status: 'interrupted',
      resumed: 'snapshot',
      lastRun: { outcome: 'interrupted' },
    })
    expect(client.last('session.snapshot')?.messages).toMatchObject([
      { role: 'user' },
      { role: 'reasoning', content: 'hm', metadata: { interrupted: true } },
      { role: 'assistant', content: 'half of the answer', metadata: { interrupted: true } },
    ])
    expect(next.runRows(id)).toMatchObject([{ status: 'interrupted', fence: 4 }])
    await client.say('m2')
    const request = await next.model.request(0)
    expect(request.request.messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'user'])
    expect(request.request.messages[1]?.content).toMatch(/^half of the answer\n\n\[.*interrupted.*\]$/)
    request.say('fine').stop()
    expect(await client.end()).toMatchObject({ outcome: { type: 'success' } })
  })

  it('I1: is opened by several at once; one ends its run, and all show it', async () => {
    const { rig, id, stream } = await begin()
    stream.say('half')
    await rig.pass(1500)
    const next = rig.crash()
    const others = [next, next.fork(), next.fork()]
    const clients = await Promise.all(others.map((one) => one.connect(id)))
    await turns(10)
    for (const client of clients) {
      expect(client.closedWith).toBeUndefined()
      expect(client.last('session.ready')).toMatchObject({ status: 'interrupted', lastRun: { outcome: 'interrupted' } })
      expect(client.last('session.snapshot')?.messages[1]?.metadata).toMatchObject({ interrupted: true })
    }
    const ends = others.flatMap(({ store }) => store.commits).flatMap(({ runs }) => runs ?? [])
    expect(ends.filter(({ status }) => status === 'interrupted')).toHaveLength(1)
  })

  it('I5: answers calls without a result by "outcome unknown" and never executes them again', async () => {
    const tool = new SlowTool()
    const { rig, id, stream } = await begin({ tools: [tool, ECHO] })
    stream.call('t1', 'echo', { a: 1 }).call('t2', 'slow', {}).stop('tools')
    await tool.call()
    await turns()
    const again = new SlowTool()
    const next = rig.crash({ tools: [again] })
    const client = await next.ready(id)
    const messages = client.last('session.snapshot')?.messages ?? []
    expect(messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'tool', 'tool'])
    expect(messages.slice(2)).toMatchObject([
      { toolCallId: 't1', content: '{"a":1}' },
      { toolCallId: 't2', content: OUTCOME_UNKNOWN, error: OUTCOME_UNKNOWN },
    ])
    expect(messages[1]?.metadata).not.toHaveProperty('interrupted')
    await client.say('m2')
    await next.model.request(0)
    expect(again.calls).toEqual([])
  })

  it.each([
    ['a send', false],
    ['a retry', true],
  ])('I3 I5: keeps every message of %s that is longer than the window', async (_, isRetry) => {
    stopClock()
    const rig = new ChatRig({ settings: { ...settings, windowMessages: 2 }, tools: [new SlowTool(), ECHO] })
    const id = randomUUID()
    const client = await rig.ready(id)
    await client.say('m1')
    if (isRetry) {
      ;(await rig.model.request(0)).stop()
      await client.end()
      await client.ask({ type: 'run.retry', runId: rig.runRows(id)[0]?.id ?? '' })
    }
    const first = isRetry ? 1 : 0
    for (const nth of [0, 1]) {
      const stream = await rig.model.request(first + nth)
      stream.say(`round ${nth}`).call(`t${nth}`, 'echo', { nth }).stop('tools')
    }
    const last = await rig.model.request(first + 2)
    last.say('round 2').call('s0', 'slow', {}).call('s1', 'slow', {}).call('s2', 'slow', {}).stop('tools')
    await turns(5)
    const before = await rig.stored(id)
    const next = rig.crash({ tools: [] })
    await next.ready(id)
    expect(before).toHaveLength(6)
    const after = await next.stored(id)
    expect(after.slice(0, 5)).toEqual(before.slice(0, 5))
    expect(after[5]).toEqual({ ...before[5], interrupted: true })
    expect(after.slice(6).map(({ index, toolCallId, content }) => [index, toolCallId, content])).toEqual([
      [6, 's0', OUTCOME_UNKNOWN],
      [7, 's1', OUTCOME_UNKNOWN],
      [8, 's2', OUTCOME_UNKNOWN],
    ])
  })

  it('I1: shows of a long answer that was cut what the window holds, in its order', async () => {
    const { rig, id, stream } = await begin({ settings: { ...settings, windowMessages: 1 } })
    stream.think('hm').say('half')
    await rig.pass(1500)
    const next = rig.crash()
    const client = await next.ready(id)
    expect(client.last('session.snapshot')?.messages.map(({ content }) => content)).toEqual(['half'])
    expect((await next.stored(id)).map(({ interrupted }) => interrupted ?? false)).toEqual([false, true, true])
  })

  it('I5: answers the calls, too, that the process which was taken for dead stores while its run is being ended', async () => {
    const { rig, id, stream } = await begin()
    stream.call('t1', 'echo', {}).stop('tools')
    ;(await rig.model.request(1)).say('and')
    await turns()
    const next = rig.crash()
    const commit = next.store.commit.bind(next.store)
    vi.spyOn(next.store, 'commit').mockImplementationOnce(async (takeover, options) => {
      const [runId = ''] = takeover.runs?.map((run) => run.id) ?? []
      const toolCalls = [{ id: 't2', name: 'slow', arguments: '{}' }]
      const row = {
        sessionId: id,
        runId,
        index: 3,
        role: 'assistant',
        content: 'and',
        toolCalls,
        createdAt: 0,
      } as const
      const messages = [{ ...row, id: `${runId}-3` }]
      const late = rig.store.fork(rig.store.node)
      await late.commit({ sessionId: id, messages }, { giveUpAfterMs: 0 })
      await commit(takeover, options)
      const later = late.commit({ sessionId: id, messages }, { giveUpAfterMs: 0 })
      await expect(later).rejects.toMatchObject({ code: 'conflict' })
    })
    const client = await next.ready(id)
    expect((await next.stored(id)).map(({ index, role }) => `${index} ${role}`)).toEqual([
      '0 user',
      '1 assistant',
      '2 tool',
      '3 assistant',
      '4 tool',
    ])
    expect(client.last('session.snapshot')?.messages.at(-1)).toMatchObject({
      toolCallId: 't2',
      content: OUTCOME_UNKNOWN,
    })
    await client.say('m2')
    expect((await next.model.request(0)).request.messages.at(-2)).toMatchObject({ role: 'tool', toolCallId: 't2' })
  })

  it('I1: is ended by the next process that opens it where the one that began to lost the store, and lives', async () => {
    const { rig, id, stream } = await begin()
    stream.say('half')
    await rig.pass(1500)
    const next = rig.crash()
    const commit = next.store.commit.bind(next.store)
    vi.spyOn(next.store, 'commit').mockImplementationOnce(async (takeover, options) => {
      await commit(takeover, options)
      next.store.refuseNext('store_unavailable')
    })
    const refused = await next.connect(id)
    expect(refused.closedWith).toMatchObject({ reason: 'store_unavailable' })
    const other = next.fork()
    const client = await other.ready(id)
    expect(client.last('session.ready')).toMatchObject({ status: 'interrupted', lastRun: { outcome: 'interrupted' } })
    expect(await client.say('m2')).toMatchObject({ state: 'started' })
  })

  it('that had said nothing yet keeps the message, and it can be asked again', async () => {
    const { rig, id } = await begin()
    const next = rig.crash()
    const client = await next.ready(id)
    expect(client.last('session.snapshot')?.messages.map(({ role }) => role)).toEqual(['user'])
    const { runId } = client.last('session.ready')?.lastRun ?? {}
    await client.ask({ type: 'run.retry', runId: runId ?? '' })
    ;(await next.model.request(0)).say('fine').stop()
    await client.end()
    expect((await next.stored(id)).map(({ content }) => content)).toEqual(['text of m1', 'fine'])
  })

  it('goes on with its queue', async () => {
    const { rig, id, client } = await begin()
    await client.say('m2')
    const next = rig.crash()
    const again = await next.ready(id)
    ;(await next.model.request(0)).say('two').stop()
    expect(await again.end()).toMatchObject({ outcome: { type: 'success' } })
    expect((await next.stored(id)).map(({ content }) => content)).toEqual(['text of m1', 'text of m2', 'two'])
    expect(next.runRows(id).map(({ status }) => status)).toEqual(['interrupted', 'finished'])
  })

  it('is mended once for all who come in the same moment, before any of them may act', async () => {
    const { rig, id, stream } = await begin()
    stream.say('half')
    await rig.pass(1500)
    const next = rig.crash()
    next.store.hold()
    const first = next.connect(id)
    await turns()
    const second = next.connect(id)
    await turns()
    next.store.release()
    const clients = await Promise.all([first, second])
    for (const client of clients) await client.control('session.ready')
    expect(clients.map((client) => client.last('session.ready')?.status)).toEqual(['interrupted', 'interrupted'])
    // Taken over, then ended.
    expect(next.store.commits).toHaveLength(2)
    expect(await clients[1]?.say('m2')).toMatchObject({ state: 'started' })
  })

  it('is refused while the store cannot say that it ended, and opened later', async () => {
    const { rig, id } = await begin()
    const next = rig.crash()
    next.store.refuseNext('store_unavailable')
    const refused = await next.connect(id)
    expect(await refused.closed()).toMatchObject({ code: 4503, reason: 'store_unavailable' })
    const client = await next.ready(id)
    expect(client.last('session.ready')?.status).toBe('interrupted')
  })

  it('P-82: says so to a client that comes with a cursor of the life before: a snapshot, and how the run ended', async () => {
    const { rig, id, client, stream } = await begin()
    stream.say('half')
    await turns()
    const cursor = client.ids.at(-1) ?? ''
    const next = rig.crash()
    const back = await next.ready(id, { cursor })
    expect(back.last('session.ready')).toMatchObject({ resumed: 'snapshot', lastRun: { outcome: 'interrupted' } })
    expect(back.last('session.ready')?.epoch).not.toBe(cursor.split('-')[0])
  })
})
