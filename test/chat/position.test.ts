import { randomUUID } from 'node:crypto'
import { describe, expect, it, vi } from 'vitest'
import { ParleyError } from '../../src/protocol/errors.ts'
import { ChatRig, SlowTool, stopClock } from '../support/chat-rig.ts'
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

/** The next commit gets no answer and arrives behind the one after it was sent; the third gets no answer either, and is lost. */
function delayNext(store: MemoryStore): void {
  const commit = store.commit.bind(store)
  const refused = async (): Promise<never> => Promise.reject(new ParleyError('store_unavailable'))
  const spy = vi.spyOn(store, 'commit')
  spy.mockImplementationOnce((late) => {
    spy.mockImplementationOnce(async (write, options) => {
      await commit(late, options)
      return commit(write, options)
    })
    spy.mockImplementationOnce(refused)
    return refused()
  })
}

async function open() {
  const rig = new ChatRig()
  const id = randomUUID()
  return { rig, id, client: await rig.ready(id) }
}

const started = (rig: ChatRig, id: string) =>
  rig
    .runRows(id)
    .flatMap(({ position, status }) => (position === undefined ? [] : [`${position} ${status}`]))
    .sort()

describe('positions: no run gets one that another has', () => {
  it('I2: a run whose start got no answer lets a send that interrupts go first, and both run', async () => {
    const { rig, id, client } = await open()
    loseNextAnswer(rig.store)
    expect(await client.say('m1')).toMatchObject({ code: 'store_unavailable' })
    const ask = { type: 'message.send', clientMessageId: 'm2', content: 'first', policy: 'interrupt' } as const
    expect(await client.ask(ask)).toMatchObject({ type: 'ack' })
    ;(await rig.model.request(0)).say('to the second').stop()
    ;(await rig.model.request(1)).say('to the first').stop()
    await client.end(1)
    await turns()
    expect((await rig.stored(id)).map(({ content }) => content)).toEqual([
      'first',
      'to the second',
      'text of m1',
      'to the first',
    ])
    expect(started(rig, id)).toEqual(['1 finished', '2 finished'])
  })

  it('I2: a send that was acknowledged as known starts by itself, also when the store went away in that moment', async () => {
    stopClock()
    const { rig, id, client } = await open()
    delayNext(rig.store)
    expect(await client.say('m1')).toMatchObject({ code: 'store_unavailable' })
    expect(await client.say('m1')).toMatchObject({ type: 'ack', duplicate: true })
    await rig.pass(10_000)
    expect(rig.model.streams).toHaveLength(1)
    ;(await rig.model.request(0)).say('after all').stop()
    await client.end()
    await turns()
    expect((await rig.stored(id)).map(({ content }) => content)).toEqual(['text of m1', 'after all'])
    expect(started(rig, id)).toEqual(['1 finished'])
  })

  it('I2: a send whose write arrives between two reads of the store starts by itself', async () => {
    const { rig, id, client } = await open()
    await client.say('m1')
    ;(await rig.model.request(0)).say('first').stop()
    await client.end()
    const [commit, history] = [rig.store.commit.bind(rig.store), rig.store.history.bind(rig.store)]
    vi.spyOn(rig.store, 'commit').mockImplementationOnce((late, options) => {
      vi.spyOn(rig.store, 'history').mockImplementationOnce(async (session, query) => {
        await commit(late, options)
        return history(session, query)
      })
      return Promise.reject(new ParleyError('store_unavailable'))
    })
    expect(await client.say('m2')).toMatchObject({ code: 'store_unavailable' })
    expect(await client.say('m2')).toMatchObject({ type: 'ack', duplicate: true })
    ;(await rig.model.request(1)).say('after all').stop()
    await client.end(1)
    await turns()
    expect((await rig.stored(id)).at(-1)).toMatchObject({ content: 'after all' })
    expect(started(rig, id)).toEqual(['1 finished', '2 finished'])
  })

  it('I2: a queued run whose start got no answer is started once, at one position', async () => {
    const { rig, id, client } = await open()
    await client.say('m1')
    await client.say('m2')
    const stream = await rig.model.request(0)
    rig.store.hold()
    stream.stop()
    await turns()
    rig.store.release()
    loseNextAnswer(rig.store)
    await client.end()
    await turns()
    expect(await client.say('m3')).toMatchObject({ type: 'ack' })
    ;(await rig.model.request(1)).stop()
    ;(await rig.model.request(2)).stop()
    await client.end(2)
    await turns()
    expect(started(rig, id)).toEqual(['1 finished', '2 finished', '3 finished'])
  })

  it('a session that went on in another process goes on from there', async () => {
    const { rig, id, client } = await open()
    await client.say('m1')
    ;(await rig.model.request(0)).stop()
    await client.end()
    const other = rig.fork()
    const theirs = await other.ready(id)
    await theirs.say('m2')
    ;(await other.model.request(0)).say('elsewhere').stop()
    await theirs.end()
    expect(await client.say('m3')).toMatchObject({ type: 'ack', state: 'started' })
    const { request } = await rig.model.request(1)
    expect(request.messages.map(({ content }) => content)).toContain('elsewhere')
  })

  it('I2: a send that another process took first gets its acknowledgement', async () => {
    const { rig, id, client } = await open()
    await client.say('m1')
    ;(await rig.model.request(0)).stop()
    await client.end()
    const other = rig.fork()
    const theirs = await other.ready(id)
    const first = await theirs.say('m2')
    ;(await other.model.request(0)).stop()
    await theirs.end()
    const runId = 'runId' in first ? first.runId : 'none'
    expect(await client.say('m2')).toMatchObject({ type: 'ack', duplicate: true, runId })
    expect(rig.model.streams).toHaveLength(1)
  })
})

describe('a session that was changed while only the store knew its run', () => {
  it('keeps the status of that run', async () => {
    const { rig, id, client } = await open()
    loseNextAnswer(rig.store)
    await client.say('m1')
    expect(await client.ask({ type: 'session.update', title: 'mine' })).toMatchObject({ type: 'ack' })
    expect((await rig.store.load(id))?.session).toMatchObject({ title: 'mine', status: 'processing' })
  })
})

describe('I5: what a crash left of results that came side by side', () => {
  it('has no hole: the missing result takes the place of the one that was lost', async () => {
    const rig = new ChatRig({ tools: [new SlowTool()] })
    const id = randomUUID()
    const client = await rig.ready(id)
    await client.say('m1')
    ;(await rig.model.request(0)).call('t1', 'slow', {}).call('t2', 'slow', {}).stop('tools')
    await turns()
    const [run] = (await rig.store.load(id))?.openRuns ?? []
    if (run === undefined) throw new Error('no run is on')
    const result = {
      id: `${run.run.id}-3`,
      sessionId: id,
      runId: run.run.id,
      index: 3,
      role: 'tool',
      createdAt: 0,
    } as const
    await rig.store.commit(
      { sessionId: id, messages: [{ ...result, content: 'late', toolCallId: 't2' }] },
      { giveUpAfterMs: 'never' },
    )
    const next = rig.crash()
    await next.ready(id)
    const rows = await next.stored(id)
    expect(rows.map(({ index, toolCallId }) => [index, toolCallId])).toEqual([
      [0, undefined],
      [1, undefined],
      [2, 't1'],
      [3, 't2'],
    ])
  })
})
