import { randomUUID } from 'node:crypto'
import { describe, expect, it, vi } from 'vitest'
import type { StopReason } from '../../src/ports/provider.ts'
import { ParleyError } from '../../src/protocol/errors.ts'
import { ChatRig, ECHO, type RigOptions, SlowTool, stopClock } from '../support/chat-rig.ts'
import type { FakeSocket } from '../support/fake-socket.ts'
import type { PuppetStream } from '../support/puppet-provider.ts'
import { turns } from '../support/turns.ts'

/** A session with one run whose model is listening. */
async function begin(options: RigOptions = {}) {
  const rig = new ChatRig(options)
  const id = randomUUID()
  const client = await rig.ready(id)
  const ack = await client.say('m1')
  const stream = await rig.model.request(0)
  if (ack.type !== 'ack' || ack.runId === undefined) throw new Error('not started')
  return { rig, id, client, stream, runId: ack.runId }
}

/** Whatever else happens, it stays at one terminal event, a saved run and a session that takes the next message. */
async function expectOneEnd(rig: ChatRig, client: FakeSocket, runStatus: string): Promise<void> {
  await client.end()
  await turns()
  expect(client.terminals).toHaveLength(1)
  const { sessionId } = await client.control('session.ready')
  expect(rig.runRows(sessionId).map(({ status }) => status)).toEqual([runStatus])
  const requests = rig.model.streams.length
  expect(await client.say('next')).toMatchObject({ state: 'started' })
  ;(await rig.model.request(requests)).say('fine').stop()
  expect(await client.end(1)).toMatchObject({ type: 'RUN_FINISHED', outcome: { type: 'success' } })
  await turns()
  // However it ended: its place among the runs at once is free.
  expect(rig.held.runs).toBe(0)
}

const CANCELLED = { type: 'RUN_FINISHED', outcome: { type: 'cancelled' } }

describe('the time to the first word of an answer', () => {
  it('is measured once for each request, also where much comes in one millisecond', async () => {
    stopClock()
    const { rig, client, stream } = await begin({ tools: [ECHO] })
    await rig.pass(2000)
    stream.say('one').say('two').call('t1', 'echo', {})
    await turns()
    stream.stop('tools')
    const next = await rig.model.request(1)
    await rig.pass(1000)
    next.say('three').stop()
    await client.end()
    const seconds = rig.observed.filter(({ metric }) => metric === 'run_first_event_seconds').map(({ value }) => value)
    expect(seconds).toEqual([2, 1])
  })

  it('is measured once where that is no time at all', async () => {
    stopClock()
    const { rig, client, stream } = await begin()
    stream.say('one')
    await turns()
    stream.say('two').stop()
    await client.end()
    expect(rig.observed.filter(({ metric }) => metric === 'run_first_event_seconds')).toHaveLength(1)
  })
})

describe('I1: a run ends once', () => {
  it('when the model has answered, with its events in order and the status behind the terminal', async () => {
    const { rig, client, stream, runId } = await begin()
    stream.say('Hel', 'lo').say('!').stop()
    expect(await client.end()).toMatchObject({ type: 'RUN_FINISHED', outcome: { type: 'success' }, runId })
    expect(client.types).toEqual([
      'RUN_STARTED',
      'TEXT_MESSAGE_START',
      'TEXT_MESSAGE_CONTENT',
      'TEXT_MESSAGE_END',
      'RUN_FINISHED',
    ])
    expect(client.text).toBe('Hello!')
    expect(client.last('session.status')).toMatchObject({
      status: 'idle',
      queued: 0,
      lastRun: { runId, outcome: 'success' },
    })
    await expectOneEnd(rig, client, 'finished')
  })

  it('with usage summed over its requests', async () => {
    const { rig, client, stream } = await begin()
    stream.call('t1', 'echo', {}).stop('tools')
    ;(await rig.model.request(1)).say('done').stop()
    expect(await client.end()).toMatchObject({
      usage: [{ provider: 'puppet', model: 'p', inputTokens: 20, outputTokens: 10, totalTokens: 30 }],
    })
  })

  it.each([
    ['before the first token', (stream: PuppetStream) => stream],
    ['in the middle of the text', (stream: PuppetStream) => stream.say('some', ' text')],
    ['while the model reasons', (stream: PuppetStream) => stream.think('hm')],
    [
      'in the middle of tool arguments',
      (stream: PuppetStream) =>
        stream
          .say('Let me')
          .emit({ type: 'tool.start', id: 't1', name: 'echo' }, { type: 'tool.args', id: 't1', delta: '{"a":' }),
    ],
    [
      'in the middle of two calls at once',
      (stream: PuppetStream) =>
        stream.emit(
          { type: 'tool.start', id: 't1', name: 'echo' },
          { type: 'tool.start', id: 't2', name: 'echo' },
          { type: 'tool.args', id: 't1', delta: '{' },
        ),
    ],
  ])('when it is cancelled %s', async (_when, speak) => {
    const { rig, client, stream, runId } = await begin()
    speak(stream)
    await turns()
    expect(await client.ask({ type: 'run.cancel' })).toMatchObject({ type: 'ack', state: 'cancelling', runId })
    expect(stream.signal.aborted).toBe(true)
    expect(await client.end()).toMatchObject(CANCELLED)
    expect(client.last('session.status')).toMatchObject({ status: 'interrupted', lastRun: { outcome: 'cancelled' } })
    await expectOneEnd(rig, client, 'cancelled')
  })

  it('when it is cancelled while a tool runs; the call gets a result that says so, and the tool is told to stop', async () => {
    const tool = new SlowTool()
    const { rig, id, client, stream } = await begin({ tools: [tool] })
    stream.call('t1', 'slow', {}).stop('tools')
    const call = await tool.call()
    await client.ask({ type: 'run.cancel' })
    expect(call.context.signal.aborted).toBe(true)
    expect(await client.end()).toMatchObject(CANCELLED)
    const commits = vi.spyOn(rig.store, 'commit')
    call.resolve('too late')
    await turns()
    expect(commits).not.toHaveBeenCalled()
    expect(client.types.filter((type) => type === 'TOOL_CALL_RESULT')).toHaveLength(1)
    expect(await rig.stored(id)).toMatchObject([
      { role: 'user' },
      { role: 'assistant' },
      { role: 'tool', isError: true },
    ])
    await expectOneEnd(rig, client, 'cancelled')
  })

  it('when it is cancelled while its tool calls are being saved: no tool runs any more', async () => {
    const calls: string[] = []
    const tool = { ...ECHO, execute: async () => String(calls.push('ran')) }
    const { rig, client, stream } = await begin({ tools: [tool] })
    rig.store.hold()
    stream.call('t1', 'echo', {}).stop('tools')
    await turns()
    await client.ask({ type: 'run.cancel' })
    rig.store.release()
    expect(await client.end()).toMatchObject(CANCELLED)
    await turns()
    expect(calls).toEqual([])
    await expectOneEnd(rig, client, 'cancelled')
  })

  it('when it is cancelled while a result is being saved: the result is kept and shown once', async () => {
    const { rig, id, client, stream } = await begin()
    rig.store.hold()
    stream.call('t1', 'echo', { a: 1 }).stop('tools')
    await turns()
    rig.store.release()
    rig.store.hold()
    await turns()
    expect(rig.store.waiting).toBe(1)
    await client.ask({ type: 'run.cancel' })
    rig.store.release()
    await client.end()
    expect(client.events.filter(({ type }) => type === 'TOOL_CALL_RESULT')).toMatchObject([{ content: '{"a":1}' }])
    expect((await rig.stored(id)).filter(({ role }) => role === 'tool')).toMatchObject([{ content: '{"a":1}' }])
    await expectOneEnd(rig, client, 'cancelled')
  })

  it('P-42: when it is cancelled twice, from two tabs: the second is a no-op', async () => {
    const { rig, id, client, stream, runId } = await begin()
    const other = await rig.ready(id)
    stream.say('a')
    const acks = await Promise.all([
      client.ask({ type: 'run.cancel', runId }),
      other.ask({ type: 'run.cancel', runId }),
    ])
    expect(acks).toMatchObject([{ state: 'cancelling' }, { state: 'noop' }])
    await other.end()
    expect(other.terminals).toHaveLength(1)
    await expectOneEnd(rig, client, 'cancelled')
  })

  it('when it is cancelled right behind its send, before that was stored', async () => {
    const rig = new ChatRig()
    const client = await rig.ready()
    rig.store.hold()
    const sent = client.say('m1')
    const cancelled = client.ask({ type: 'run.cancel' })
    await turns()
    rig.store.release()
    expect(await sent).toMatchObject({ state: 'started' })
    expect(await cancelled).toMatchObject({ state: 'cancelling' })
    expect(await client.end()).toMatchObject(CANCELLED)
    expect(client.types).toEqual(['RUN_STARTED', 'RUN_FINISHED'])
    await expectOneEnd(rig, client, 'cancelled')
  })

  it('I4: when a cancel comes after the end, or names another run, nothing happens', async () => {
    const { rig, client, stream, runId } = await begin()
    expect(await client.ask({ type: 'run.cancel', runId: 'another' })).toMatchObject({
      state: 'noop',
      runId: 'another',
    })
    stream.say('done').stop()
    await client.end()
    expect(await client.ask({ type: 'run.cancel', runId })).toMatchObject({ state: 'noop', runId })
    expect(await client.ask({ type: 'run.cancel' })).toMatchObject({ state: 'noop' })
    await expectOneEnd(rig, client, 'finished')
  })

  it('when the model goes on after it was stopped: nothing of that is heard', async () => {
    const { rig, id, client, stream } = await begin()
    stream.deaf = true
    stream.say('before')
    await turns()
    await client.ask({ type: 'run.cancel' })
    const frames = client.frames.length
    stream.say('after').call('t1', 'echo', {}).stop('tools')
    await client.end()
    await turns()
    expect(client.frames.slice(frames).filter((frame) => 'chunk' in frame && 'delta' in frame.chunk)).toEqual([])
    expect((await rig.stored(id)).map(({ content }) => content)).toEqual(['text of m1', 'before'])
    await expectOneEnd(rig, client, 'cancelled')
  })

  it.each([
    ['before its first event', (stream: PuppetStream) => stream],
    ['in the middle of the text', (stream: PuppetStream) => stream.say('some')],
    ['in the middle of a call', (stream: PuppetStream) => stream.emit({ type: 'tool.start', id: 't1', name: 'echo' })],
  ])('when the provider fails %s', async (_when, speak) => {
    const { rig, client, stream } = await begin()
    speak(stream).fail(new ParleyError('provider_overloaded'))
    expect(await client.end()).toMatchObject({ type: 'RUN_ERROR', code: 'provider_overloaded' })
    expect(client.last('session.status')).toMatchObject({
      status: 'idle',
      lastRun: { outcome: 'error', code: 'provider_overloaded' },
    })
    await expectOneEnd(rig, client, 'failed')
  })

  it('I11: when the provider throws what is no row of the table: clients are told nothing of it', async () => {
    const { rig, client, stream } = await begin()
    stream.fail(new Error('secret upstream body'))
    expect(await client.end()).toMatchObject({ type: 'RUN_ERROR', code: 'internal_error' })
    expect(JSON.stringify(client.frames)).not.toContain('secret')
    await expectOneEnd(rig, client, 'failed')
  })

  it('when the stream ends without a stop', async () => {
    const { rig, client, stream } = await begin()
    stream.say('half').cut()
    expect(await client.end()).toMatchObject({ type: 'RUN_ERROR', code: 'provider_error' })
    await expectOneEnd(rig, client, 'failed')
  })

  it('when the model stalls: its request is aborted', async () => {
    stopClock()
    const { rig, client, stream } = await begin({ settings: { providerStallMs: 90_000 } })
    await rig.pass(60_000)
    stream.say('a')
    await turns()
    await rig.pass(89_000)
    expect(client.terminals).toEqual([])
    await rig.pass(1200)
    expect(await client.end()).toMatchObject({ type: 'RUN_ERROR', code: 'provider_stalled' })
    expect(stream.signal.aborted).toBe(true)
    await expectOneEnd(rig, client, 'failed')
  })

  it('when it takes too long, however busy it is', async () => {
    stopClock()
    const { rig, client, stream } = await begin({ settings: { runMs: 60_000, providerStallMs: 20_000 } })
    for (let second = 0; second < 60; second += 10) {
      stream.say(`${second} `)
      await rig.pass(10_000)
    }
    expect(client.terminals).toEqual([])
    await rig.pass(100)
    expect(await client.end()).toMatchObject({ type: 'RUN_ERROR', code: 'run_limit' })
    await expectOneEnd(rig, client, 'failed')
  })

  it('when a tool never answers: the deadline is a result that the model reads', async () => {
    stopClock()
    const tool = new SlowTool()
    const { rig, client, stream } = await begin({ tools: [tool], settings: { toolDeadlineMs: 30_000 } })
    stream.call('t1', 'slow', {}).stop('tools')
    const call = await tool.call()
    await rig.pass(30_000)
    expect(call.context.signal.aborted).toBe(true)
    const next = await rig.model.request(1)
    expect(next.request.messages.at(-1)).toMatchObject({
      role: 'tool',
      isError: true,
      content: 'No result within 30 seconds.',
    })
    next.say('sorry').stop()
    expect(await client.end()).toMatchObject({ outcome: { type: 'success' } })
    await expectOneEnd(rig, client, 'finished')
  })

  it('when the model asks for tools too many times', async () => {
    const { rig, client } = await begin({ settings: { toolRounds: 3 } })
    for (let round = 0; round < 3; round++) (await rig.model.request(round)).call(`t${round}`, 'echo', {}).stop('tools')
    expect(await client.end()).toMatchObject({ type: 'RUN_ERROR', code: 'run_limit' })
    expect(rig.model.streams).toHaveLength(3)
    await expectOneEnd(rig, client, 'failed')
  })

  it.each<[StopReason, object]>([
    ['length', { type: 'RUN_FINISHED', outcome: { type: 'success' }, result: { stopReason: 'length' } }],
    ['refusal', { type: 'RUN_ERROR', code: 'model_refusal' }],
    ['context', { type: 'RUN_FINISHED', result: { stopReason: 'context' } }],
    ['tools', { type: 'RUN_FINISHED', outcome: { type: 'success' } }],
  ])('when the model stops with %s in the middle of its text', async (reason, terminal) => {
    const { rig, client, stream } = await begin()
    stream.say('as far as').stop(reason)
    expect(await client.end()).toMatchObject(terminal)
    await expectOneEnd(rig, client, reason === 'refusal' ? 'failed' : 'finished')
  })

  it('when the output limit cuts a call: the call gets a result that says so', async () => {
    const { rig, client, stream } = await begin()
    stream
      .emit({ type: 'tool.start', id: 't1', name: 'echo' }, { type: 'tool.args', id: 't1', delta: '{"a' })
      .stop('length')
    await client.end()
    expect(client.types.filter((type) => type === 'TOOL_CALL_RESULT')).toHaveLength(1)
    await expectOneEnd(rig, client, 'finished')
  })

  it('when the model pauses: it is asked again with what it said', async () => {
    const { rig, client, stream } = await begin()
    stream.say('first ').stop('pause')
    const second = await rig.model.request(1)
    expect(second.request.messages.at(-1)).toMatchObject({ role: 'assistant', content: 'first ' })
    second.say('second').stop()
    expect(await client.end()).toMatchObject({ outcome: { type: 'success' } })
    expect(client.text).toBe('first second')
    await expectOneEnd(rig, client, 'finished')
  })

  it.each([
    ['says so', (stream: PuppetStream) => void stream.stop('context')],
    ['refuses the request', (stream: PuppetStream) => stream.fail(new ParleyError('context_too_long'))],
  ])('I5: when the context does not fit and the model %s: asked once more, smaller', async (_how, refuse) => {
    const { rig, client, stream } = await begin({ app: { model: modelOf(600) } })
    stream.say('x'.repeat(900)).stop()
    await client.end()
    await client.say('m2', 'y'.repeat(300))
    const full = await rig.model.request(1)
    expect(full.request.messages).toHaveLength(3)
    refuse(full)
    const smaller = await rig.model.request(2)
    expect(smaller.request.messages).toEqual([{ role: 'user', content: 'y'.repeat(300) }])
    smaller.say('ok').stop()
    expect(await client.end(1)).toMatchObject({ outcome: { type: 'success' } })
  })

  it('when the context does not fit twice', async () => {
    const { rig, client, stream } = await begin()
    stream.stop('context')
    ;(await rig.model.request(1)).fail(new ParleyError('context_too_long'))
    expect(await client.end()).toMatchObject({ type: 'RUN_ERROR', code: 'context_too_long' })
    await expectOneEnd(rig, client, 'failed')
  })

  it('when a provider says that the context does not fit after it began to speak: what it said is closed and kept', async () => {
    const { rig, id, client, stream } = await begin()
    stream.say('already').fail(new ParleyError('context_too_long'))
    expect(await client.end()).toMatchObject({ type: 'RUN_ERROR', code: 'context_too_long' })
    expect((await rig.stored(id)).at(-1)).toMatchObject({ content: 'already', interrupted: true })
    await expectOneEnd(rig, client, 'failed')
  })

  it('when no provider is configured for its model', async () => {
    const rig = new ChatRig({ app: { model: { ...modelOf(1000), default: 'nobody/x' } } })
    const client = await rig.ready()
    await client.say('m1')
    expect(await client.end()).toMatchObject({ type: 'RUN_ERROR', code: 'provider_misconfigured' })
  })
})

function modelOf(contextTokens: number) {
  return { default: 'puppet/p', allowed: ['puppet/p'], maxOutputTokens: 100, contextTokens }
}

describe('I7: a start that the store refuses', () => {
  it('gives its place among the runs of the App back: of a send, and of a retry', async () => {
    const rig = new ChatRig()
    const client = await rig.ready(randomUUID())
    rig.store.refuseNext('store_unavailable')
    expect(await client.say('m1')).toMatchObject({ code: 'store_unavailable' })
    expect(rig.held.runs).toBe(0)
    await client.say('m2')
    const { runId } = (await client.event('RUN_STARTED')).chunk
    expect(rig.held.runs).toBe(1)
    ;(await rig.model.request(0)).say('fine').stop()
    await client.end()
    rig.store.refuseNext('conflict')
    expect(await client.ask({ type: 'run.retry', runId })).toMatchObject({ type: 'error' })
    expect(rig.held.runs).toBe(0)
  })
})
