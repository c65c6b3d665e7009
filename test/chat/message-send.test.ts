import { randomUUID } from 'node:crypto'
import { describe, expect, it, vi } from 'vitest'
import { ParleyError } from '../../src/protocol/errors.ts'
import { ChatRig, type RigOptions } from '../support/chat-rig.ts'
import type { MemoryStore } from '../support/memory-store.ts'
import { turns } from '../support/turns.ts'

/** The next commit is stored, but its answer gets lost. */
function loseNextAnswer(store: MemoryStore): void {
  const commit = store.commit.bind(store)
  vi.spyOn(store, 'commit').mockImplementationOnce(async (write, options) => {
    await commit(write, options)
    throw new ParleyError('store_unavailable')
  })
}

async function open(options: RigOptions = {}) {
  const rig = new ChatRig(options)
  const id = randomUUID()
  return { rig, id, client: await rig.ready(id) }
}

/** A session with one finished run. */
async function answered(options: RigOptions = {}) {
  const opened = await open(options)
  const ack = await opened.client.say('m1')
  ;(await opened.rig.model.request(0)).say('fine').stop()
  await opened.client.end()
  return { ...opened, ack }
}

describe('I2: the acknowledgement of a send', () => {
  it('waits for the commit, and so does the run', async () => {
    const { rig, client } = await open()
    rig.store.hold()
    const acked = client.say('m1')
    await turns()
    expect(rig.store.waiting).toBe(1)
    expect(client.controls('ack')).toEqual([])
    expect(client.events).toEqual([])
    expect(rig.model.streams).toEqual([])
    rig.store.release()
    expect(await acked).toMatchObject({ state: 'started', duplicate: false })
    await client.event('RUN_STARTED')
  })

  it('holds the message and its run in one write', async () => {
    const { rig, client } = await open()
    const ack = await client.say('m1', 'hello')
    expect(rig.store.commits).toHaveLength(1)
    expect(rig.store.commits[0]).toMatchObject({
      session: { status: 'processing' },
      runs: [{ id: 'runId' in ack ? ack.runId : '', status: 'running', position: 1 }],
      messages: [{ id: 'm1', role: 'user', content: 'hello', index: 0 }],
    })
  })

  it('P-78: comes before RUN_STARTED, which shows the message to tabs that did not send it', async () => {
    const { rig, id, client } = await open()
    const other = await rig.ready(id)
    await client.say('m1', 'hello')
    const started = await other.event('RUN_STARTED')
    expect(started.chunk.input?.messages).toMatchObject([{ id: 'm1', role: 'user', content: 'hello' }])
    expect(other.controls('ack')).toEqual([])
  })

  it('of a queued send waits for its commit, too', async () => {
    const { rig, client } = await open()
    await client.say('m1')
    await rig.model.request(0)
    rig.store.hold()
    const acked = client.say('m2')
    await turns()
    expect(client.controls('ack')).toHaveLength(1)
    expect(client.last('session.status')?.queued).toBe(0)
    rig.store.release()
    expect(await acked).toMatchObject({ state: 'queued' })
  })

  it('is refused when the store refuses, and nothing starts', async () => {
    const { rig, client } = await open()
    rig.store.refuseNext('invalid_value')
    expect(await client.say('m1')).toMatchObject({ type: 'error', code: 'invalid_value', clientMessageId: 'm1' })
    await turns()
    expect(client.events).toEqual([])
    expect(await client.say('m1')).toMatchObject({ state: 'started', duplicate: false })
  })
})

describe('I2, P-51: a message that is sent again', () => {
  it('gets the same ack and starts nothing: while its run is on, and after', async () => {
    const { rig, client } = await open()
    const first = await client.say('m1')
    expect(await client.say('m1')).toMatchObject({ ...first, ref: 'ref-2', duplicate: true })
    ;(await rig.model.request(0)).say('fine').stop()
    await client.end()
    expect(await client.say('m1')).toMatchObject({ ...first, ref: 'ref-3', duplicate: true })
    await turns()
    expect(rig.model.streams).toHaveLength(1)
    expect(client.types.filter((type) => type === 'RUN_STARTED')).toHaveLength(1)
  })

  it('gets its ack from memory while the store is away', async () => {
    const { rig, client } = await answered()
    await client.say('m2')
    ;(await rig.model.request(1)).say('fine').stop()
    await client.end(1)
    rig.store.goAway()
    for (const id of ['m1', 'm2']) expect(await client.say(id)).toMatchObject({ type: 'ack', duplicate: true })
  })

  it('with another body is a conflict, wherever the first one is', async () => {
    const { rig, client } = await open()
    rig.store.hold()
    void client.say('m1', 'one')
    const during = client.say('m1', 'two')
    await turns()
    rig.store.release()
    expect(await during).toMatchObject({ type: 'error', code: 'conflict', clientMessageId: 'm1' })
    await client.say('m2', 'queued')
    expect(await client.say('m2', 'other')).toMatchObject({ code: 'conflict' })
    ;(await rig.model.request(0)).stop()
    ;(await rig.model.request(1)).stop()
    await client.end(1)
    expect(await client.say('m1', 'three')).toMatchObject({ code: 'conflict' })
    expect(rig.model.streams).toHaveLength(2)
  })

  it('with the id of an answer is a conflict', async () => {
    const { client, rig, id } = await answered()
    const answer = (await rig.stored(id)).at(-1)
    expect(await client.say(answer?.id ?? '', 'fine')).toMatchObject({ code: 'conflict' })
  })

  it('during the first commit, by another connection, waits for it and gets its ack', async () => {
    const { rig, id, client } = await open()
    const other = await rig.ready(id)
    rig.store.hold()
    const [first, second] = [client.say('m1'), other.say('m1')]
    await turns()
    rig.store.release()
    expect(await first).toMatchObject({ state: 'started', duplicate: false })
    expect(await second).toMatchObject({ state: 'started', duplicate: true, runId: await runOf(first) })
    await turns()
    expect(rig.model.streams).toHaveLength(1)
  })

  it('while it waits in the queue is told so', async () => {
    const { rig, client } = await open()
    await client.say('m1')
    const first = await client.say('m2')
    expect(first).toMatchObject({ state: 'queued', duplicate: false })
    expect(await client.say('m2')).toMatchObject({ state: 'queued', duplicate: true, runId: await runOf(first) })
    expect(client.last('session.status')?.queued).toBe(1)
    expect(rig.runRows(client.last('session.ready')?.sessionId ?? '')).toHaveLength(2)
  })

  it('after it was taken out of the queue starts nothing', async () => {
    const { rig, client } = await open()
    await client.say('m1')
    const queued = await client.say('m2')
    await client.ask({ type: 'run.cancel', runId: (await runOf(queued)) ?? '' })
    expect(await client.say('m2')).toMatchObject({ duplicate: true, runId: await runOf(queued) })
    ;(await rig.model.request(0)).stop()
    await client.end()
    await turns()
    expect(rig.model.streams).toHaveLength(1)
  })

  it('in another process, or after the session left memory, gets its ack from the store', async () => {
    const { rig, id, client, ack } = await answered()
    client.cut()
    const elsewhere = rig.fork()
    const again = await elsewhere.ready(id)
    expect(await again.say('m1')).toMatchObject({ ...ack, duplicate: true })
    expect(await again.say('m1', 'other')).toMatchObject({ code: 'conflict' })
    expect(elsewhere.model.streams).toEqual([])
  })

  it('beyond the part of history that memory holds gets its ack from the store', async () => {
    const { rig, client, ack } = await answered({ settings: { windowMessages: 2 } })
    await client.say('m2')
    ;(await rig.model.request(1)).say('fine').stop()
    await client.end(1)
    expect(await client.say('m1')).toMatchObject({ ...ack, ref: 'ref-3', duplicate: true })
    expect(await client.say('m1', 'other')).toMatchObject({ code: 'conflict' })
  })

  it('after it was edited away gets its ack and starts nothing', async () => {
    const { rig, client, ack } = await answered()
    await client.ask({ type: 'message.send', clientMessageId: 'm2', content: 'better', replaces: 'm1' })
    ;(await rig.model.request(1)).say('fine').stop()
    await client.end(1)
    expect(await client.say('m1')).toMatchObject({ ...ack, ref: 'ref-3', duplicate: true })
    await turns()
    expect(rig.model.streams).toHaveLength(2)
  })
})

describe('I2: a send that was refused as store_unavailable', () => {
  it('and was not stored starts when it is sent again', async () => {
    const { rig, id, client } = await open({ settings: { storeGiveUpMs: 1 } })
    rig.store.goAway()
    expect(await client.say('m1')).toMatchObject({ type: 'error', code: 'store_unavailable', retryable: true })
    rig.store.comeBack()
    expect(await client.say('m1')).toMatchObject({ state: 'started', duplicate: false })
    ;(await rig.model.request(0)).say('fine').stop()
    await client.end()
    expect((await rig.stored(id)).map(({ content }) => content)).toEqual(['text of m1', 'fine'])
  })

  it('but was stored starts once when it is sent again', async () => {
    const { rig, id, client } = await open()
    loseNextAnswer(rig.store)
    expect(await client.say('m1')).toMatchObject({ code: 'store_unavailable' })
    await turns()
    expect(client.events).toEqual([])
    const again = await client.say('m1')
    expect(again).toMatchObject({ type: 'ack', clientMessageId: 'm1' })
    expect(await client.say('m1')).toMatchObject({ duplicate: true, runId: await runOf(again) })
    ;(await rig.model.request(0)).say('fine').stop()
    expect(await client.end()).toMatchObject({ runId: await runOf(again) })
    await turns()
    expect(rig.model.streams).toHaveLength(1)
    expect((await rig.stored(id)).map(({ content }) => content)).toEqual(['text of m1', 'fine'])
    expect((await rig.store.load(id))?.session.title).toBe('text of m1')
  })

  it('but was stored runs before a later message', async () => {
    const { rig, id, client } = await open()
    loseNextAnswer(rig.store)
    await client.say('m1')
    expect(await client.say('m2')).toMatchObject({ type: 'ack' })
    ;(await rig.model.request(0)).say('one').stop()
    ;(await rig.model.request(1)).say('two').stop()
    await client.end(1)
    expect((await rig.stored(id)).map(({ content }) => content)).toEqual(['text of m1', 'one', 'text of m2', 'two'])
  })

  it('keeps the title that a stored one gave the session', async () => {
    const { rig, id, client } = await open()
    loseNextAnswer(rig.store)
    await client.say('m1', 'the first words')
    await client.say('m2')
    ;(await rig.model.request(0)).stop()
    ;(await rig.model.request(1)).stop()
    await client.end(1)
    expect((await rig.store.load(id))?.session.title).toBe('the first words')
    expect((await rig.ready(id)).last('session.ready')?.title).toBe('the first words')
  })

  it('but was stored in the queue is there once when it is sent again', async () => {
    const { rig, client } = await open()
    await client.say('m1')
    loseNextAnswer(rig.store)
    expect(await client.say('m2')).toMatchObject({ code: 'store_unavailable' })
    expect(await client.say('m2')).toMatchObject({ type: 'ack', state: 'queued' })
    ;(await rig.model.request(0)).stop()
    ;(await rig.model.request(1)).stop()
    await client.end(1)
    await turns()
    expect(rig.model.streams).toHaveLength(2)
    expect(client.last('session.status')).toMatchObject({ queued: 0, status: 'idle' })
  })

  it('but was stored starts when the session is opened in another process', async () => {
    const { rig, id, client } = await open()
    loseNextAnswer(rig.store)
    await client.say('m1')
    const elsewhere = rig.crash()
    const again = await elsewhere.ready(id)
    expect(await again.say('m1')).toMatchObject({ type: 'ack', duplicate: true })
    expect(again.last('session.ready')?.lastRun).toMatchObject({ outcome: 'interrupted' })
  })
})

describe('P-51: an id that the server gives to a message of its own', () => {
  it('is a conflict while its run is on or waits, and free when that has ended without it', async () => {
    const { rig, client } = await open()
    const [first, second] = [await runOf(client.say('m1')), await runOf(client.say('m2'))]
    expect(await client.say(`${first}-1`)).toMatchObject({ type: 'error', code: 'conflict' })
    expect(await client.say(`${second}-1`)).toMatchObject({ type: 'error', code: 'conflict' })
    ;(await rig.model.request(0)).say('one').stop()
    ;(await rig.model.request(1)).say('two').stop()
    await client.end(1)
    expect(client.terminals).toMatchObject([{ type: 'RUN_FINISHED' }, { type: 'RUN_FINISHED' }])
    expect(await client.say(`${first}-1`)).toMatchObject({ type: 'error', code: 'conflict' })
    expect(await client.say(`${first}-2`)).toMatchObject({ state: 'started' })
  })
})

describe('a send', () => {
  it('is refused above the message size, in bytes', async () => {
    const { client } = await open({ settings: { messageBytes: 10 } })
    expect(await client.say('m1', 'ü'.repeat(6))).toMatchObject({ type: 'error', code: 'message_too_large' })
    expect(await client.say('m1', 'ü'.repeat(5))).toMatchObject({ state: 'started' })
  })

  it('takes text parts as one text', async () => {
    const { rig, client } = await open()
    const content = ['one ', 'two'].map((text) => ({ type: 'text' as const, text }))
    await client.ask({ type: 'message.send', clientMessageId: 'm1', content })
    expect((await rig.model.request(0)).request.messages).toEqual([{ role: 'user', content: 'one two' }])
  })

  it('gives its place among the concurrent runs back when it ends, when it is queued and when it is refused', async () => {
    let taken = 0
    const admitRun = async () => {
      taken++
      return () => void taken--
    }
    const { rig, client } = await open({ admitRun })
    rig.store.refuseNext('invalid_value')
    await client.say('m0')
    expect(taken).toBe(0)
    await client.say('m1')
    expect(taken).toBe(1)
    await client.say('m2')
    expect(taken).toBe(1)
    ;(await rig.model.request(0)).stop()
    ;(await rig.model.request(1)).stop()
    await client.end(1)
    await turns()
    expect(taken).toBe(0)
  })

  it('is refused when too many runs are on for its address, and starts nothing', async () => {
    const admitRun = () => Promise.reject(new ParleyError('rate_limit_exceeded', { retryAfterMs: 5000 }))
    const { rig, client } = await open({ admitRun })
    expect(await client.say('m1')).toMatchObject({ code: 'rate_limit_exceeded', retryAfterMs: 5000 })
    expect(rig.store.commits).toEqual([])
  })
})

async function runOf(answer: object | Promise<object>): Promise<string | undefined> {
  const frame = await answer
  return 'runId' in frame && typeof frame.runId === 'string' ? frame.runId : undefined
}
