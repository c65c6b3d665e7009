import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { AppTool } from '../../src/ports/apps.ts'
import { ChatRig, ECHO, type RigOptions, SlowTool, stopClock } from '../support/chat-rig.ts'
import type { FakeSocket } from '../support/fake-socket.ts'
import { faultsOf } from '../support/model-audit.ts'
import { turns } from '../support/turns.ts'

const LOCATE: AppTool = {
  kind: 'client',
  spec: { name: 'locate', description: 'Where the person is', parameters: { type: 'object' } },
}
const ASKS = (name: string): AppTool => ({ kind: 'server', name, ask: true })
const FREE = (name: string): AppTool => ({ kind: 'server', name, ask: false })
const LEASE_MS = 30_000

async function begin(tools: readonly AppTool[], options: RigOptions = {}) {
  const rig = new ChatRig({ ...options, app: { tools } })
  const id = randomUUID()
  const client = await rig.ready(id)
  await client.say('m1')
  const { runId } = (await client.event('RUN_STARTED')).chunk
  return { rig, id, client, runId, stream: await rig.model.request(0) }
}

/** A run that ended with an open call of `locate`. */
async function located(options: RigOptions = {}) {
  const begun = await begin([LOCATE], options)
  begun.stream.say('I look').call('t1', 'locate', { exact: true }).stop('tools')
  await begun.client.end()
  return begun
}

/** A run that asks whether `slow` may be called. */
async function asked(options: RigOptions = {}) {
  const tool = new SlowTool()
  const begun = await begin([ASKS('slow')], { ...options, tools: [tool] })
  begun.stream.call('t1', 'slow', { to: 'all' }).stop('tools')
  await begun.client.end()
  return { ...begun, tool }
}

const pendingOf = (client: FakeSocket) => client.last('session.status')?.pending
const answer = (toolCallId: string, content: string) => ({ type: 'tool.result' as const, toolCallId, content })
const approve = (...ids: string[]) => ({
  type: 'run.resume' as const,
  resume: ids.map((interruptId) => ({ interruptId, status: 'resolved' as const, payload: { approved: true } })),
})

describe('a run with open calls that is longer than the window', () => {
  const settings = { windowMessages: 2 }

  it('is loaded whole: an approved call is made, and the model reads the question and every result', async () => {
    const tool = new SlowTool()
    const { rig, id, client, stream } = await begin([ASKS('slow'), FREE('echo')], { settings, tools: [tool, ECHO] })
    stream.call('t1', 'echo', {}).call('t2', 'echo', {}).call('t3', 'slow', { to: 'all' }).stop('tools')
    await client.end()
    await turns()
    const process = rig.crash({ settings, tools: [tool, ECHO], app: { tools: [ASKS('slow'), FREE('echo')] } })
    const again = await process.ready(id)
    await again.ask(approve('t3'))
    ;(await tool.call()).resolve('done')
    const { request } = await process.model.request(0)
    expect(request.messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'tool', 'tool', 'tool'])
    expect(faultsOf(request)).toEqual([])
  })
})

describe('P-46, P-79: a call that the browser executes', () => {
  it('ends the run with the call open, is answered by a result, and the next run goes on from it', async () => {
    const { rig, id, client, runId } = await located()
    expect(client.terminals).toMatchObject([{ type: 'RUN_FINISHED', outcome: { type: 'success' } }])
    expect(pendingOf(client)).toEqual([{ toolCallId: 't1', toolName: 'locate', runId, kind: 'client' }])
    expect(client.last('session.status')).toMatchObject({ status: 'idle' })
    const ack = await client.ask(answer('t1', 'Bern'))
    expect(ack).toMatchObject({ type: 'ack', duplicate: false, runId: expect.any(String) })
    const stream = await rig.model.request(1)
    expect(stream.request.messages).toMatchObject([
      { role: 'user' },
      { role: 'assistant', content: 'I look', toolCalls: [{ id: 't1' }] },
      { role: 'tool', toolCallId: 't1', content: 'Bern', isError: false },
    ])
    stream.say('You are in Bern').stop()
    await client.end(1)
    expect(client.types.slice(client.types.lastIndexOf('RUN_STARTED'))).toEqual([
      'RUN_STARTED',
      'TOOL_CALL_RESULT',
      'TEXT_MESSAGE_START',
      'TEXT_MESSAGE_CONTENT',
      'TEXT_MESSAGE_END',
      'RUN_FINISHED',
    ])
    expect(pendingOf(client)).toBeUndefined()
    expect(rig.runRows(id)).toMatchObject([
      { id: runId, status: 'finished' },
      { parentRunId: runId, status: 'finished', position: 2 },
    ])
    expect((await rig.stored(id)).map(({ role }) => role)).toEqual(['user', 'assistant', 'tool', 'assistant'])
  })

  it('is shown to who comes later, also after a crash, and answered there', async () => {
    const { rig, id } = await located()
    expect((await rig.ready(id)).last('session.ready')?.pending).toMatchObject([{ toolCallId: 't1', kind: 'client' }])
    const next = rig.crash()
    const client = await next.ready(id)
    expect(client.last('session.ready')).toMatchObject({ status: 'idle', pending: [{ toolCallId: 't1' }] })
    await client.ask(answer('t1', 'Bern'))
    expect((await next.model.request(0)).request.messages.at(-1)).toMatchObject({ role: 'tool', content: 'Bern' })
  })

  it('I5: goes on with a history that begins with a person, also where its question is older than what memory holds', async () => {
    const { rig, id, client } = await located()
    await client.ask(answer('t1', 'Bern'))
    ;(await rig.model.request(1)).say('Then where to?').call('t2', 'locate', {}).stop('tools')
    await client.end(1)
    await turns()
    const next = rig.crash({ settings: { windowBytes: 8 } })
    await (await next.ready(id)).ask(answer('t2', 'Basel'))
    expect((await next.model.request(0)).request.messages).toMatchObject([
      { role: 'user', content: expect.stringContaining('left out') },
      { role: 'assistant', content: 'Then where to?' },
      { role: 'tool', content: 'Basel' },
    ])
  })

  it('takes the first answer; a later one is a duplicate, one of an unknown call is refused', async () => {
    const { rig, client } = await located()
    await client.ask(answer('t1', 'Bern'))
    expect(await client.ask(answer('t1', 'Basel'))).toMatchObject({ type: 'ack', duplicate: true })
    expect((await rig.model.request(1)).request.messages.at(-1)).toMatchObject({ content: 'Bern' })
    expect(await client.ask(answer('t9', 'Bern'))).toMatchObject({ type: 'error', code: 'not_found' })
  })

  it('gives the model an error as one, cut to its bound', async () => {
    const { rig, client } = await located({ settings: { toolResultBytes: 100 } })
    await client.ask({ ...answer('t1', 'unused'), error: 'no '.repeat(100) })
    const result = (await rig.model.request(1)).request.messages.at(-1)
    expect(result).toMatchObject({
      role: 'tool',
      isError: true,
      content: expect.stringMatching(/^no no .*cut here\.\]$/s),
    })
  })

  it('is acknowledged once it is durable (I2, I3)', async () => {
    const { rig, client } = await located()
    rig.store.hold()
    const acked = client.ask(answer('t1', 'Bern'))
    await turns()
    expect(rig.model.streams).toHaveLength(1)
    rig.store.release()
    expect(await acked).toMatchObject({ type: 'ack' })
  })

  it('waits until all calls of the answer have one; those of the server were made meanwhile', async () => {
    const { rig, id, client, stream } = await begin([LOCATE, FREE('echo')])
    stream.call('t1', 'locate', {}).call('t2', 'echo', { a: 1 }).call('t3', 'locate', {}).stop('tools')
    await client.end()
    expect(client.types.filter((type) => type === 'TOOL_CALL_RESULT')).toHaveLength(1)
    expect(await client.ask(answer('t3', 'Basel'))).toEqual(expect.not.objectContaining({ runId: expect.anything() }))
    expect(pendingOf(client)).toMatchObject([{ toolCallId: 't1' }])
    expect(rig.model.streams).toHaveLength(1)
    await client.ask(answer('t1', 'Bern'))
    expect((await rig.model.request(1)).request.messages.slice(2)).toMatchObject([
      { toolCallId: 't1', content: 'Bern' },
      { toolCallId: 't2', content: '{"a":1}' },
      { toolCallId: 't3', content: 'Basel' },
    ])
    expect((await rig.stored(id)).map(({ index, runId }) => `${runId === id ? '' : index}`)).toEqual([
      '0',
      '1',
      '2',
      '3',
      '4',
    ])
  })

  it('P-58: answered one after the other, every result is told once, in the run that goes on', async () => {
    const { rig, client, stream } = await begin([LOCATE])
    stream.call('t1', 'locate', {}).call('t2', 'locate', {}).call('t3', 'locate', {}).stop('tools')
    await client.end()
    for (const id of ['t2', 't1', 't3']) await client.ask(answer(id, `for ${id}`))
    ;(await rig.model.request(1)).stop()
    await client.end(1)
    const told = client.events.flatMap((event) => (event.type === 'TOOL_CALL_RESULT' ? [event.content] : []))
    expect(told).toEqual(['for t2', 'for t1', 'for t3'])
  })

  it('I7: answers that leave others open count among the bytes of histories in memory', async () => {
    const { rig, client, stream } = await begin([LOCATE])
    stream.call('t1', 'locate', {}).call('t2', 'locate', {}).call('t3', 'locate', {}).stop('tools')
    await client.end()
    const bytes = () => rig.gauges.get('history_bytes')?.() ?? 0
    const before = bytes()
    const place = 'Bern'.repeat(1000)
    for (const id of ['t2', 't1']) await client.ask(answer(id, place))
    expect(bytes()).toBeGreaterThan(before + 2 * place.length)
  })

  it('P-58: what was answered is told beside what a new message declines', async () => {
    const { rig, client, stream } = await begin([LOCATE])
    stream.call('t1', 'locate', {}).call('t2', 'locate', {}).stop('tools')
    await client.end()
    await client.ask(answer('t2', 'Bern'))
    await client.say('m2')
    ;(await rig.model.request(1)).stop()
    await client.end(1)
    const told = client.events.flatMap((event) => (event.type === 'TOOL_CALL_RESULT' ? [event.toolCallId] : []))
    expect(told).toEqual(['t2', 't1'])
  })

  describe('of which another process took some of the answers', () => {
    async function half() {
      const begun = await begin([LOCATE])
      begun.stream.call('t1', 'locate', {}).call('t2', 'locate', {}).stop('tools')
      await begun.client.end()
      const watcher = await begun.rig.fork().ready(begun.id)
      return { ...begun, watcher, take: () => watcher.ask(answer('t1', 'Bern')) }
    }

    it('shows them here', async () => {
      const { client, take } = await half()
      await take()
      await turns()
      const shown = client.last('session.snapshot')?.messages.map(({ role, content }) => [role, content])
      expect(shown?.at(-1)).toEqual(['tool', 'Bern'])
      expect(pendingOf(client)).toMatchObject([{ toolCallId: 't2' }])
    })

    it('I2: takes a send on a copy that did not hear of it yet', async () => {
      const { rig, client, take } = await half()
      rig.store.goDeaf()
      await take()
      expect(await client.say('m2')).toMatchObject({ type: 'ack', state: 'started' })
      expect((await rig.model.request(1)).request.messages.slice(2)).toMatchObject([
        { toolCallId: 't1', content: 'Bern' },
        { toolCallId: 't2', isError: true },
        { role: 'user', content: 'text of m2' },
      ])
    })

    it('P-46: takes an answer that comes behind another of theirs each time it is tried', async () => {
      const { rig, id, client, stream } = await begin([LOCATE])
      stream.call('t1', 'locate', {}).call('t2', 'locate', {}).call('t3', 'locate', {}).stop('tools')
      await client.end()
      const watcher = await rig.fork().ready(id)
      rig.store.hold()
      const last = client.ask(answer('t3', 'Rome'))
      for (const theirs of ['t1', 't2']) {
        await turns()
        expect(rig.store.waiting).toBe(1)
        await watcher.ask(answer(theirs, 'Bern'))
        rig.store.release()
        rig.store.hold()
      }
      await turns()
      rig.store.release()
      expect(await last).toMatchObject({ type: 'ack', duplicate: false, runId: expect.any(String) })
      expect((await rig.model.request(1)).request.messages.slice(2)).toMatchObject([
        { toolCallId: 't1', content: 'Bern' },
        { toolCallId: 't2', content: 'Bern' },
        { toolCallId: 't3', content: 'Rome' },
      ])
    })

    it('asks for a retry on such a copy once more', async () => {
      const { rig, client, runId, take } = await half()
      rig.store.goDeaf()
      await take()
      const retry = { type: 'run.retry' as const, runId }
      expect(await client.ask(retry)).toMatchObject({ code: 'overloaded', retryable: true })
      expect(await client.ask(retry)).toMatchObject({ type: 'ack' })
    })
  })

  it('with arguments that are no JSON waits for nobody', async () => {
    const { rig, client, stream } = await begin([LOCATE])
    stream.emit({ type: 'tool.start', id: 't1', name: 'locate' }, { type: 'tool.args', id: 't1', delta: '{"a' })
    stream.emit({ type: 'tool.end', id: 't1' }).stop('tools')
    expect((await rig.model.request(1)).request.messages.at(-1)).toMatchObject({ role: 'tool', isError: true })
    expect(client.terminals).toEqual([])
  })
})

describe('P-45: a claim', () => {
  it('is a lease: of several tabs one executes the call', async () => {
    stopClock()
    const { rig, id, client } = await located()
    const other = await rig.ready(id)
    const claim = { type: 'tool.claim' as const, toolCallId: 't1' }
    expect(await client.ask(claim)).toMatchObject({ type: 'ack', expiresInMs: LEASE_MS })
    expect(pendingOf(other)).toMatchObject([{ toolCallId: 't1', claimed: true }])
    expect(await other.ask(claim)).toMatchObject({
      type: 'error',
      code: 'overloaded',
      retryable: true,
      retryAfterMs: LEASE_MS,
    })
    expect(await client.ask(claim)).toMatchObject({ type: 'ack' })
    await rig.pass(LEASE_MS)
    expect(await other.ask(claim)).toMatchObject({ type: 'ack' })
    expect(await other.ask({ ...claim, toolCallId: 't2' })).toMatchObject({ code: 'not_found' })
  })

  it('holds in every process', async () => {
    const { rig, id, client } = await located()
    const other = await rig.fork().ready(id)
    const claim = { type: 'tool.claim' as const, toolCallId: 't1' }
    await client.ask(claim)
    expect(await other.ask(claim)).toMatchObject({ type: 'error', code: 'overloaded' })
  })

  it('is not for calls that a person approves', async () => {
    const { client } = await asked()
    expect(await client.ask({ type: 'tool.claim', toolCallId: 't1' })).toMatchObject({ code: 'not_found' })
  })
})

describe('P-44: a call that asks first', () => {
  it('ends the run with an interrupt; approved, it is made once, by the run that goes on', async () => {
    const { rig, id, client, tool, runId } = await asked()
    expect(client.terminals).toMatchObject([
      { outcome: { type: 'interrupt', interrupts: [{ id: 't1', reason: 'tool_call', toolCallId: 't1' }] } },
    ])
    expect(tool.calls).toEqual([])
    await client.ask(approve('t1'))
    ;(await tool.call()).resolve('done')
    const stream = await rig.model.request(1)
    expect(stream.request.messages.at(-1)).toMatchObject({ role: 'tool', content: 'done', isError: false })
    stream.say('Done.').stop()
    await client.end(1)
    expect(tool.calls).toHaveLength(1)
    expect(rig.runRows(id)[0]).toEqual(expect.not.objectContaining({ pending: expect.anything() }))
    expect((await rig.stored(id)).map((row) => [row.role, row.runId === runId])).toEqual([
      ['user', true],
      ['assistant', true],
      ['tool', true],
      ['assistant', false],
    ])
  })

  it.each([
    ['no', { interruptId: 't1', status: 'resolved' as const, payload: { approved: false } }],
    ['nothing', { interruptId: 't1', status: 'cancelled' as const }],
  ])('declined by %s, it is not made, and the model is told', async (_how, entry) => {
    const { rig, client, tool } = await asked()
    await client.ask({ type: 'run.resume', resume: [entry] })
    expect((await rig.model.request(1)).request.messages.at(-1)).toMatchObject({
      isError: true,
      content: 'The person declined this call; it was not made.',
    })
    expect(tool.calls).toEqual([])
  })

  it('takes nothing for a yes but a yes', async () => {
    const { client, tool } = await asked()
    const silent = { type: 'run.resume' as const, resume: [{ interruptId: 't1', status: 'resolved' as const }] }
    expect(await client.ask(silent)).toMatchObject({ code: 'bad_request' })
    expect(await client.ask(answer('t1', 'forged'))).toMatchObject({ code: 'not_found' })
    expect(tool.calls).toEqual([])
  })

  it('named twice in one command is refused, whatever was said', async () => {
    const { client, tool } = await asked()
    const entries = [...approve('t1').resume, { interruptId: 't1', status: 'cancelled' as const }]
    expect(await client.ask({ type: 'run.resume', resume: entries })).toMatchObject({ code: 'bad_request' })
    expect(tool.calls).toEqual([])
  })

  it('stopped in the moment in which its result is stored, it has that result, told once', async () => {
    const { rig, id, client, tool } = await asked()
    await client.ask(approve('t1'))
    rig.store.hold()
    ;(await tool.call()).resolve('done')
    await turns()
    const stopped = client.ask({ type: 'run.cancel' })
    rig.store.release()
    await stopped
    await client.end(1)
    expect(client.types.filter((type) => type === 'TOOL_CALL_RESULT')).toHaveLength(1)
    expect(await rig.stored(id)).toMatchObject([{}, {}, { role: 'tool', content: 'done' }])
    expect((await rig.ready(id)).last('session.snapshot')?.messages.at(-1)).toMatchObject({ content: 'done' })
  })

  it('answered twice, it is made once', async () => {
    const { rig, id, client, tool } = await asked()
    const other = await rig.fork({ tools: [tool] }).ready(id)
    const [one, two] = await Promise.all([client.ask(approve('t1')), other.ask(approve('t1'))])
    expect([one, two].filter((ack) => 'duplicate' in ack && ack.duplicate === true)).toHaveLength(1)
    await tool.call()
    await turns()
    expect(tool.calls).toHaveLength(1)
  })

  it('that was being made when its process died is never made again: its outcome is unknown (I5)', async () => {
    const { rig, id, client, tool } = await asked()
    await client.ask(approve('t1'))
    await tool.call()
    const again = new SlowTool()
    const next = rig.crash({ tools: [again] })
    const after = await next.ready(id)
    expect(after.last('session.ready')).toMatchObject({ status: 'interrupted' })
    expect(await next.stored(id)).toMatchObject([{}, {}, { role: 'tool', content: expect.stringContaining('unknown') }])
    await after.say('m2')
    const { messages } = (await next.model.request(0)).request
    expect(messages).toMatchObject([
      { role: 'user' },
      { role: 'assistant' },
      { role: 'tool', isError: true },
      { role: 'user' },
    ])
    expect(again.calls).toEqual([])
  })

  it('that is being made can be stopped', async () => {
    const { rig, id, client, tool } = await asked()
    await client.ask(approve('t1'))
    const call = await tool.call()
    await client.ask({ type: 'run.cancel' })
    await client.end(1)
    expect(call.context.signal.aborted).toBe(true)
    expect(client.last('session.status')).toMatchObject({ status: 'interrupted' })
    expect(await rig.stored(id)).toMatchObject([{}, {}, { role: 'tool', isError: true }])
  })
})

describe('P-58: what goes on without an answer', () => {
  it.each([[[LOCATE], 'locate'] as const, [[ASKS('echo')], 'echo'] as const])(
    'declines the open calls of %o, and the model reads so',
    async (tools, name) => {
      const { rig, id, client, stream } = await begin(tools, { tools: [ECHO] })
      stream.call('t1', name, {}).stop('tools')
      await client.end()
      await client.say('m2')
      expect((await rig.model.request(1)).request.messages.slice(2)).toMatchObject([
        { role: 'tool', isError: true, content: expect.stringContaining('Declined by a new message') },
        { role: 'user' },
      ])
      expect(client.types.slice(-2)).toEqual(['RUN_STARTED', 'TOOL_CALL_RESULT'])
      expect(rig.runRows(id)[0]).toEqual(expect.not.objectContaining({ pending: expect.anything() }))
      expect(await client.ask(answer('t1', 'late'))).toMatchObject({ duplicate: true })
    },
  )

  it('is what waited in the queue', async () => {
    const { rig, client, stream } = await begin([LOCATE])
    await client.say('m2')
    stream.call('t1', 'locate', {}).stop('tools')
    expect((await rig.model.request(1)).request.messages.slice(2)).toMatchObject([
      { role: 'tool', isError: true },
      { role: 'user' },
    ])
  })

  it('retries the question, not the answer to it', async () => {
    const { rig, id, client } = await located()
    await client.ask(answer('t1', 'Bern'))
    ;(await rig.model.request(1)).say('You are').stop()
    await client.end(1)
    await client.ask({ type: 'run.retry', runId: client.last('session.status')?.lastRun?.runId ?? '' })
    expect((await rig.model.request(2)).request.messages).toMatchObject([{ role: 'user' }])
    expect((await rig.stored(id)).map(({ role }) => role)).toEqual(['user'])
  })

  it.each(['here', 'in the next process'])(
    'P-57: retries the question where the run that went on failed before it said anything, %s',
    async (where) => {
      const { rig: first, id, client } = await located()
      await client.ask(answer('t1', 'Bern'))
      ;(await first.model.request(1)).fail(new Error('no answer'))
      await client.end(1)
      const rig = where === 'here' ? first : first.crash()
      const { ready, asked: model } = { ready: await rig.ready(id), asked: rig.model.streams.length }
      const { runId = '' } = ready.last('session.ready')?.lastRun ?? {}
      expect(first.runRows(id).at(-1)).toMatchObject({ id: runId, status: 'failed' })
      expect(await ready.ask({ type: 'run.retry', runId })).toMatchObject({ type: 'ack' })
      const stream = await rig.model.request(model)
      expect(stream.request.messages).toMatchObject([{ role: 'user', content: 'text of m1' }])
      stream.say('Fine').stop()
      await ready.end()
      expect((await rig.stored(id)).map(({ role }) => role)).toEqual(['user', 'assistant'])
      // It left history with the run before it.
      expect(await ready.ask({ type: 'run.retry', runId })).toMatchObject({ type: 'error', code: 'not_found' })
    },
  )
})
