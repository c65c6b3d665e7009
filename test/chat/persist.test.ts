import { randomUUID } from 'node:crypto'
import { describe, expect, it, vi } from 'vitest'
import { Draft } from '../../src/chat/run/draft.ts'
import type { Tool } from '../../src/ports/tool.ts'
import { ParleyError } from '../../src/protocol/errors.ts'
import { ChatRig, ECHO, type RigOptions, SlowTool, stopClock } from '../support/chat-rig.ts'
import { deferred, turns } from '../support/turns.ts'

async function begin(options: RigOptions = {}) {
  const rig = new ChatRig(options)
  const id = randomUUID()
  const client = await rig.ready(id)
  await client.say('m1')
  return { rig, id, client, stream: await rig.model.request(0) }
}

describe('I3: persist, then publish', () => {
  it('runs no tool before its call is durable', async () => {
    const seen: unknown[] = []
    const holder: { rows: () => Promise<unknown> } = { rows: async () => [] }
    const tool: Tool = { ...ECHO, execute: async () => String(seen.push(await holder.rows())) }
    const { rig, id, client, stream } = await begin({ tools: [tool] })
    holder.rows = () => rig.stored(id)
    rig.store.hold()
    stream.say('Let me see').call('t1', 'echo', {}).stop('tools')
    await turns()
    expect(seen).toEqual([])
    rig.store.release()
    ;(await rig.model.request(1)).stop()
    await client.end()
    expect(seen).toMatchObject([
      [{ role: 'user' }, { role: 'assistant', content: 'Let me see', toolCalls: [{ id: 't1', arguments: '{}' }] }],
    ])
  })

  it('shows a result, and gives it to the model, once it is durable', async () => {
    const tool = new SlowTool()
    const { rig, id, client, stream } = await begin({ tools: [tool] })
    stream.call('t1', 'slow', {}).stop('tools')
    const call = await tool.call()
    rig.store.hold()
    call.resolve('42')
    await turns()
    expect(client.types).not.toContain('TOOL_CALL_RESULT')
    expect(rig.model.streams).toHaveLength(1)
    rig.store.release()
    await client.event('TOOL_CALL_RESULT')
    expect(await rig.stored(id)).toMatchObject([{}, {}, { role: 'tool', content: '42', toolCallId: 't1' }])
    expect((await rig.model.request(1)).request.messages.at(-1)).toMatchObject({ role: 'tool', content: '42' })
  })

  it('tells the end once it is saved; a client that joins meanwhile sees the text and then the end', async () => {
    const { rig, id, client, stream } = await begin()
    rig.store.hold()
    stream.say('fine').stop()
    await turns()
    expect(client.terminals).toEqual([])
    const late = await rig.ready(id)
    await late.event('RUN_STARTED')
    expect(late.last('session.snapshot')?.messages).toMatchObject([
      { role: 'user' },
      { role: 'assistant', content: 'fine' },
    ])
    expect(late.last('session.ready')).toMatchObject({ status: 'processing', resumed: 'snapshot' })
    rig.store.release()
    await late.end()
    expect(late.types).toEqual(['RUN_STARTED', 'RUN_FINISHED'])
    await client.end()
    expect(await rig.stored(id)).toMatchObject([{ content: 'text of m1' }, { content: 'fine' }])
  })

  it('shows no result that is not durable to a client that joins while the end is being saved', async () => {
    const tool = new SlowTool()
    const { rig, id, client, stream } = await begin({ tools: [tool] })
    stream.call('t1', 'slow', {}).stop('tools')
    await tool.call()
    rig.store.hold()
    await client.ask({ type: 'run.cancel' })
    const late = await rig.ready(id)
    await late.event('RUN_STARTED')
    expect(late.last('session.snapshot')?.messages.map(({ role }) => role)).toEqual(['user', 'assistant'])
    rig.store.release()
    await late.end()
    expect(late.types).toEqual(['RUN_STARTED', 'TOOL_CALL_RESULT', 'RUN_FINISHED'])
  })

  it('keeps the results of a stopped run in one order, in memory and in the store', async () => {
    const tool = new SlowTool()
    const { rig, id, client, stream } = await begin({ tools: [tool, ECHO] })
    rig.store.hold()
    stream.call('t1', 'slow', {}).call('t2', 'echo', {}).stop('tools')
    await turns()
    rig.store.release()
    rig.store.hold()
    await turns()
    expect([tool.calls.length, rig.store.waiting]).toEqual([1, 1])
    await client.ask({ type: 'run.cancel' })
    rig.store.release()
    await client.end()
    const order = async (process: ChatRig) =>
      (await process.ready(id)).last('session.snapshot')?.messages.map((message) => message.id)
    expect(await order(rig)).toEqual(await order(rig.fork()))
  })

  it('saves what a running answer has at least once an interval', async () => {
    stopClock()
    const { rig, id, stream } = await begin({ settings: { checkpointMs: 1000 } })
    stream.say('half of ')
    await rig.pass(1200)
    expect(await rig.stored(id)).toMatchObject([{ role: 'user' }, { role: 'assistant', content: 'half of ' }])
    const commits = rig.store.commits.length
    await rig.pass(5000)
    expect(rig.store.commits).toHaveLength(commits)
    stream.say('it')
    await rig.pass(1200)
    expect(await rig.stored(id)).toMatchObject([{}, { content: 'half of it' }])
  })

  it.each([
    [1000, 50],
    [50, 10],
  ])(
    'of %i ms, and lets each of those writes wait %d ms for others, which it is not given up in; no other',
    async (checkpointMs, patienceMs) => {
      stopClock()
      const { rig, client, stream } = await begin({ settings: { checkpointMs } })
      const commit = vi.spyOn(rig.store, 'commit')
      stream.say('half of ')
      await rig.pass(1200)
      expect(commit.mock.calls.map(([, options]) => options)).toEqual([{ giveUpAfterMs: checkpointMs, patienceMs }])
      stream.say('it').stop()
      await client.end()
      for (const [, options] of commit.mock.calls.slice(1)) expect(options.patienceMs ?? 0).toBe(0)
      expect(commit.mock.calls.length).toBeGreaterThan(1)
    },
  )

  it('saves no more often than that, however fast the model talks', async () => {
    stopClock()
    const { rig, stream } = await begin({ settings: { checkpointMs: 1000 } })
    const before = rig.store.commits.length
    for (let nth = 0; nth < 60; nth++) {
      stream.say(`${nth} `)
      await rig.pass(50)
    }
    const checkpoints = rig.store.commits.length - before
    expect(checkpoints).toBeGreaterThanOrEqual(2)
    expect(checkpoints).toBeLessThanOrEqual(4)
  })

  it('saves the answers of several runs at moments of their own again after the process stood still for all of them', async () => {
    stopClock()
    vi.spyOn(Math, 'random').mockReturnValueOnce(0.1).mockReturnValueOnce(0.6)
    const { rig, stream } = await begin({ settings: { checkpointMs: 1000 } })
    await (await rig.ready(randomUUID())).say('m1')
    const streams = [stream, await rig.model.request(1)]
    /** How many were saved in each tenth of a second. */
    const talk = async (tenths: number) => {
      const saved: number[] = []
      for (let nth = 0; nth < tenths; nth++) {
        for (const each of streams) each.say(`${nth} `)
        const before = rig.store.commits.length
        await rig.pass(100)
        saved.push(rig.store.commits.length - before)
      }
      return saved
    }
    await talk(10)
    const before = performance.now.bind(performance)
    vi.spyOn(performance, 'now').mockImplementation(() => before() + 3000)
    expect(await talk(1)).toEqual([2])
    const saved = await talk(30)
    expect(Math.max(...saved)).toBe(1)
    expect(saved.filter((count) => count > 0).length).toBeGreaterThanOrEqual(5)
  })

  it('waits for one that is on, however long it takes, and then saves what was said meanwhile though no more is', async () => {
    stopClock()
    const { rig, id, stream } = await begin({ settings: { checkpointMs: 1000 } })
    const commit = rig.store.commit.bind(rig.store)
    const stores = deferred()
    const commits = vi.spyOn(rig.store, 'commit').mockImplementationOnce(async (...write) => {
      await stores.promise
      return commit(...write)
    })
    stream.say('half ')
    await rig.pass(1100)
    for (let nth = 0; nth < 4; nth++) {
      stream.say(`${nth}`)
      await rig.pass(1000)
    }
    expect(commits).toHaveBeenCalledTimes(1)
    stores.resolve()
    await rig.pass(1100)
    expect((await rig.stored(id)).at(-1)?.content).toBe('half 0123')
  })

  it('saves nothing where the model told only what it takes', async () => {
    stopClock()
    const { rig, stream } = await begin({ settings: { checkpointMs: 1000 } })
    const before = rig.store.commits.length
    stream.emit({
      type: 'usage',
      usage: { provider: 'puppet', model: 'p', inputTokens: 10, outputTokens: 0, totalTokens: 10 },
    })
    await rig.pass(3000)
    expect(rig.store.commits).toHaveLength(before)
  })

  it('saves an answer with a call that is being written once, however long its model is silent then', async () => {
    stopClock()
    const { rig, stream } = await begin({ settings: { checkpointMs: 1000 } })
    stream
      .say('half ')
      .emit({ type: 'tool.start', id: 't1', name: 'echo' }, { type: 'tool.args', id: 't1', delta: '{' })
    await rig.pass(1100)
    const saved = rig.store.commits.length
    await rig.pass(5000)
    expect(rig.store.commits).toHaveLength(saved)
  })

  it('saves nothing more of a run that has ended before the turn of its checkpoint', async () => {
    stopClock()
    const { rig, id, client, stream } = await begin({ settings: { checkpointMs: 1000 } })
    stream.say('half')
    await turns()
    let now = 0
    vi.spyOn(performance, 'now').mockImplementation(() => (now += 5))
    const before = rig.store.commits.length
    vi.advanceTimersByTime(1200)
    expect(rig.store.commits).toHaveLength(before)
    await client.ask({ type: 'run.cancel' })
    await turns(12)
    vi.restoreAllMocks()
    await client.end()
    const writes = rig.store.commits
      .slice(before)
      .map(({ messages }) => messages?.map(({ interrupted }) => interrupted))
    expect(writes).toEqual([[true]])
    expect(await rig.stored(id)).toMatchObject([{ role: 'user' }, { content: 'half', interrupted: true }])
  })

  it('goes on when a checkpoint fails, and saves all of it with the next', async () => {
    stopClock()
    const { rig, id, client, stream } = await begin({ settings: { checkpointMs: 1000 } })
    rig.store.refuseNext('store_unavailable')
    stream.say('one ')
    await rig.pass(1200)
    expect(await rig.stored(id)).toHaveLength(1)
    stream.say('two')
    await rig.pass(1200)
    expect(await rig.stored(id)).toMatchObject([{}, { content: 'one two' }])
    stream.stop()
    expect(await client.end()).toMatchObject({ outcome: { type: 'success' } })
  })

  it('goes on when what is unsaved cannot be told, and saves all of it with the next', async () => {
    stopClock()
    const { rig, id, client, stream } = await begin({ settings: { checkpointMs: 1000 } })
    vi.spyOn(Draft.prototype, 'unsaved').mockImplementationOnce(() => {
      throw new TypeError('a bug')
    })
    stream.say('one ')
    await rig.pass(1200)
    expect(rig.logged).toContainEqual(expect.objectContaining({ level: 'debug', event: 'checkpoint failed' }))
    stream.say('two')
    await rig.pass(1200)
    expect(await rig.stored(id)).toMatchObject([{}, { content: 'one two' }])
    stream.stop()
    expect(await client.end()).toMatchObject({ outcome: { type: 'success' } })
  })
})

describe('I1 I3: a store that is away at the end of a run', () => {
  const settings = { endSaveMs: 30_000, storeGiveUpMs: 5000, idleMs: 60_000, recordCount: 1 }

  async function endsAway() {
    stopClock()
    const begun = await begin({ settings })
    begun.stream.say('the whole answer')
    await turns()
    begun.rig.store.goAway()
    begun.stream.stop()
    await begun.rig.pass(29_000)
    expect(begun.client.terminals).toEqual([])
    await begun.rig.pass(1100)
    return begun
  }

  it('is told as store_unavailable after 30 s, once; sends are refused until it is saved, then taken', async () => {
    const { rig, id, client } = await endsAway()
    expect(await client.end()).toMatchObject({ type: 'RUN_ERROR', code: 'store_unavailable' })
    expect(await client.say('m2')).toMatchObject({ type: 'error', code: 'store_unavailable', retryable: true })
    expect(await client.ask({ type: 'run.retry', runId: 'any' })).toMatchObject({ code: 'store_unavailable' })
    await rig.pass(60_000)
    rig.store.comeBack()
    await turns()
    // The save arrived late: all are told how the run really ended.
    expect(client.last('session.status')).toMatchObject({ status: 'idle', lastRun: { outcome: 'success' } })
    expect(await client.say('m2')).toMatchObject({ state: 'started' })
    const next = await rig.model.request(1)
    expect(next.request.messages.map(({ content }) => content)).toEqual([
      'text of m1',
      'the whole answer',
      'text of m2',
    ])
    next.say('fine').stop()
    await client.end(1)
    expect(client.terminals).toHaveLength(2)
    expect((await rig.stored(id)).map(({ content }) => content)).toEqual([
      'text of m1',
      'the whole answer',
      'text of m2',
      'fine',
    ])
  })

  it('shows the whole text to clients that come meanwhile', async () => {
    const { rig, id } = await endsAway()
    const late = await rig.ready(id)
    expect(late.last('session.snapshot')?.messages).toMatchObject([{}, { content: 'the whole answer' }])
    expect(late.last('session.ready')).toMatchObject({ status: 'idle', lastRun: { code: 'store_unavailable' } })
    expect(late.events).toEqual([])
  })

  it('I8: keeps the session in memory until it is saved, even when nobody is connected', async () => {
    const { rig, id, client } = await endsAway()
    client.cut()
    await rig.pass(10 * 60_000)
    rig.store.comeBack()
    await turns()
    expect(await rig.stored(id)).toMatchObject([{}, { content: 'the whole answer' }])
  })

  it('goes on with the queue once it is saved', async () => {
    stopClock()
    const { rig, client, stream } = await begin({ settings })
    await client.say('m2')
    rig.store.goAway()
    stream.say('one').stop()
    await rig.pass(31_000)
    await client.end()
    rig.store.comeBack()
    await turns()
    ;(await rig.model.request(1)).say('two').stop()
    expect(await client.end(1)).toMatchObject({ outcome: { type: 'success' } })
  })

  it('ends the run when its tool calls cannot be saved; no tool runs', async () => {
    stopClock()
    const tool = new SlowTool()
    const { rig, client, stream } = await begin({ settings, tools: [tool] })
    rig.store.goAway()
    stream.call('t1', 'slow', {}).stop('tools')
    await rig.pass(61_000)
    expect(await client.end()).toMatchObject({ type: 'RUN_ERROR', code: 'store_unavailable' })
    expect(tool.calls).toEqual([])
    rig.store.comeBack()
    await turns()
    expect(await client.say('m2')).toMatchObject({ state: 'started' })
  })
})

describe('a store that refuses the end of a run', () => {
  it('I1: is told as an error; the session is opened anew from the store', async () => {
    const { rig, id, client, stream } = await begin()
    stream.say('half').call('t1', 'echo', {}).stop('tools')
    const second = await rig.model.request(1)
    rig.store.refuseNext('conflict')
    second.say('more').stop()
    expect(await client.closed()).toMatchObject({ code: 4500 })
    expect(client.terminals).toMatchObject([{ type: 'RUN_ERROR', code: 'internal_error' }])
    await turns()
    const again = await rig.ready(id)
    expect(again.last('session.ready')).toMatchObject({ status: 'interrupted', lastRun: { outcome: 'interrupted' } })
    expect(await again.say('m2')).toMatchObject({ state: 'started' })
  })

  it('is not asked of the model again, where nothing of its answer was stored', async () => {
    const { rig, id, client, stream } = await begin()
    rig.store.refuseNext('conflict')
    stream.say('what the store does not take').stop()
    expect(await client.closed()).toMatchObject({ code: 4500 })
    await turns()
    const again = await rig.ready(id)
    await turns()
    expect(rig.model.streams).toHaveLength(1)
    expect(again.last('session.ready')).toMatchObject({ status: 'interrupted', lastRun: { outcome: 'interrupted' } })
    expect(await again.say('m2')).toMatchObject({ state: 'started' })
  })
})

describe('I4, P-36: a connection that leaves', () => {
  it('never stops the run', async () => {
    const { rig, id, client, stream } = await begin()
    stream.say('one ')
    await turns()
    client.cut()
    await turns()
    expect(stream.signal.aborted).toBe(false)
    stream.say('two').stop()
    await turns()
    expect(await rig.stored(id)).toMatchObject([{}, { content: 'one two' }])
  })

  describe('from an App that stops unwatched runs', () => {
    const app = { stopAfterDisconnectMs: 5000 }

    it('stops it a grace after the last one left', async () => {
      stopClock()
      const { rig, id, client, stream } = await begin({ app })
      const other = await rig.ready(id)
      client.cut()
      await rig.pass(10_000)
      expect(stream.signal.aborted).toBe(false)
      other.cut()
      await rig.pass(4900)
      expect(stream.signal.aborted).toBe(false)
      await rig.pass(200)
      expect(stream.signal.aborted).toBe(true)
      await turns()
      const back = await rig.ready(id)
      expect(back.last('session.ready')).toMatchObject({ status: 'interrupted', lastRun: { outcome: 'interrupted' } })
    })

    it('counts the grace anew each time', async () => {
      stopClock()
      const { rig, id, client, stream } = await begin({ app })
      client.cut()
      await rig.pass(3000)
      const back = await rig.ready(id)
      await rig.pass(1000)
      back.cut()
      await rig.pass(3000)
      expect(stream.signal.aborted).toBe(false)
      await rig.pass(2200)
      expect(stream.signal.aborted).toBe(true)
    })

    it('is not counted anew by one that is refused at its socket', async () => {
      stopClock()
      let isFull = false
      const admitConnection = (): void => {
        if (isFull) throw new ParleyError('too_many_connections')
      }
      const { rig, id, client, stream } = await begin({ app, admitConnection })
      client.cut()
      await rig.pass(3000)
      const verdict = await rig.handshake(id)
      isFull = true
      expect(rig.open(verdict).closedWith?.code).toBe(4409)
      await rig.pass(2200)
      expect(stream.signal.aborted).toBe(true)
    })

    it('gives one that waited in the queue as much time as any', async () => {
      stopClock()
      const { rig, client, stream } = await begin({ app })
      await client.say('m2')
      client.cut()
      await rig.pass(5100)
      expect(stream.signal.aborted).toBe(true)
      const next = await rig.model.request(1)
      await rig.pass(4000)
      expect(next.signal.aborted).toBe(false)
      await rig.pass(1200)
      expect(next.signal.aborted).toBe(true)
    })

    it('does not stop it when someone is back in time', async () => {
      stopClock()
      const { rig, id, client, stream } = await begin({ app })
      client.cut()
      await rig.pass(4000)
      await rig.ready(id)
      await rig.pass(20_000)
      expect(stream.signal.aborted).toBe(false)
    })
  })
})
