import { randomUUID } from 'node:crypto'
import { describe, expect, it, vi } from 'vitest'
import type { LoadedSession, RunRow } from '../../src/ports/store.ts'
import { ParleyError } from '../../src/protocol/errors.ts'
import { ChatRig, ECHO, type RigOptions, stopClock } from '../support/chat-rig.ts'
import type { FakeSocket } from '../support/fake-socket.ts'
import type { MemoryStore } from '../support/memory-store.ts'
import { deferred, turns } from '../support/turns.ts'

const settings = { checkpointMs: 1000 }

/** A run in one process, and a client of its session in another that came while it is on. */
async function begin(options: RigOptions = {}) {
  stopClock()
  const rig = new ChatRig({ settings, ...options })
  const id = randomUUID()
  const client = await rig.ready(id)
  await client.say('m1')
  const { runId = '' } = client.last('session.status') ?? {}
  const stream = await rig.model.request(0)
  stream.say('half')
  await rig.pass(1500)
  const other = rig.fork()
  const watcher = await other.ready(id)
  return { rig, id, client, runId, stream, other, watcher }
}

const send = (clientMessageId: string, policy: 'reject' | 'interrupt') =>
  ({ type: 'message.send', clientMessageId, content: 'x', policy }) as const
const statuses = (socket: FakeSocket) => socket.last('session.status')
const shown = (socket: FakeSocket) =>
  socket.last('session.snapshot')?.messages.map(({ role, content }) => `${role}: ${content ?? ''}`)

describe('a session whose run another living process has on', () => {
  it('P-62: opens with its run and what was saved of the answer', async () => {
    const { runId, watcher, stream } = await begin()
    expect(watcher.last('session.ready')).toMatchObject({ status: 'processing', runId, resumed: 'snapshot' })
    expect(shown(watcher)).toEqual(['user: text of m1', 'assistant: half'])
    expect(watcher.events).toEqual([])
    expect(stream.signal.aborted).toBe(false)
  })

  it('P-62: shows what is saved later, then the end, and is an ordinary session from then on', async () => {
    const { rig, other, runId, watcher, stream, id } = await begin()
    stream.say(' and more')
    await rig.pass(1500)
    await other.pass(1000)
    expect(shown(watcher)).toEqual(['user: text of m1', 'assistant: half and more'])
    stream.say(', whole').stop()
    await rig.pass(10)
    await turns()
    expect(shown(watcher)).toEqual(['user: text of m1', 'assistant: half and more, whole'])
    expect(statuses(watcher)).toMatchObject({ status: 'idle', lastRun: { runId, outcome: 'success' } })
    expect(statuses(watcher)).not.toHaveProperty('runId')
    expect(await watcher.say('m2')).toMatchObject({ state: 'started' })
    const next = await other.model.request(0)
    expect(next.request.messages.map(({ content }) => content)).toEqual([
      'text of m1',
      'half and more, whole',
      'text of m2',
    ])
    next.say('two').stop()
    await watcher.end()
    await turns()
    expect((await rig.stored(id)).map(({ content }) => content)).toHaveLength(4)
  })

  it('P-62: is told again only when more was saved, also of a run that is longer than the window', async () => {
    stopClock()
    const window = { settings: { ...settings, windowMessages: 3 } }
    const rig = new ChatRig({ ...window, tools: [ECHO] })
    const id = randomUUID()
    const client = await rig.ready(id)
    await client.say('m1')
    for (let round = 0; round < 3; round++)
      (await rig.model.request(round)).call(`t${round}`, 'echo', { text: `r${round}` }).stop('tools')
    const stream = (await rig.model.request(3)).say('half')
    await rig.pass(1500)
    const other = rig.fork(window)
    const watcher = await other.ready(id)
    const before = shown(watcher)
    const snapshots = () =>
      watcher.frames.filter((frame) => 'type' in frame && frame.type === 'session.snapshot').length
    const count = snapshots()
    await other.pass(3100)
    expect([snapshots(), shown(watcher)]).toEqual([count, before])
    stream.say(' and more')
    await rig.pass(1500)
    await other.pass(1100)
    expect(shown(watcher)).toEqual(before?.with(-1, 'assistant: half and more'))
  })

  it('I1: is told as ended before the next run starts here, also where a write left it in doubt', async () => {
    const { rig, other, watcher, runId, stream } = await begin()
    other.store.refuseNext('store_unavailable')
    expect(await watcher.say('m3')).toMatchObject({ code: 'store_unavailable' })
    other.store.goDeaf()
    stream.say(', whole').stop()
    await rig.pass(10)
    await turns()
    expect(statuses(watcher)?.lastRun).toBeUndefined()
    expect(await watcher.say('m4')).toMatchObject({ state: 'started' })
    expect(shown(watcher)).toEqual(['user: text of m1', 'assistant: half, whole'])
    const told = watcher.frames.findIndex(
      (frame) => 'type' in frame && frame.type === 'session.status' && frame.lastRun?.runId === runId,
    )
    const started = watcher.frames.findIndex((frame) => 'chunk' in frame && frame.chunk.type === 'RUN_STARTED')
    expect(told).toBeGreaterThan(-1)
    expect(started).toBeGreaterThan(told)
    ;(await other.model.request(0)).say('two').stop()
    await watcher.end()
  })

  it('is looked at by one question at a time, however long the store takes', async () => {
    const { other } = await begin()
    const { promise } = deferred<LoadedSession | undefined>()
    const loads = vi.spyOn(other.store, 'load').mockReturnValue(promise)
    await other.pass(5000)
    expect(loads).toHaveBeenCalledTimes(1)
  })

  it('is read once for all that was heard of it while a command held it', async () => {
    const { rig, client, id, other, stream } = await begin()
    stream.stop()
    await client.end()
    await rig.pass(10)
    rig.store.hold()
    const acked = client.say('m2')
    await turns()
    const loads = vi.spyOn(rig.store, 'load')
    for (const title of ['One', 'Two', 'Three']) await other.chat.directory.rename({ app: 'default' }, id, title)
    await turns()
    rig.store.release()
    await acked
    await turns()
    expect(loads).toHaveBeenCalledTimes(1)
    expect(client.last('session.updated')?.title).toBe('Three')
  })

  it('goes on being followed when it could not be read again: who comes then sees it, too', async () => {
    const { client, other, id, runId, watcher, stream } = await begin()
    vi.spyOn(other.store, 'history').mockRejectedValueOnce(new ParleyError('store_unavailable'))
    await client.ask({ type: 'session.update', title: 'Mine' })
    await turns()
    const late = await other.ready(id)
    expect(late.last('session.ready')).toMatchObject({ status: 'processing', runId })
    stream.stop()
    await other.pass(2000)
    for (const each of [watcher, late]) expect(statuses(each)).toMatchObject({ status: 'idle', lastRun: { runId } })
  })

  it('P-62: what the store could not be asked about is told when it can be, though nothing more happens', async () => {
    const { rig, other, watcher, runId, stream } = await begin()
    vi.spyOn(other.store, 'history').mockRejectedValueOnce(new ParleyError('store_unavailable'))
    stream.say(', whole').stop()
    await rig.pass(10)
    await turns()
    await other.pass(2000)
    expect(shown(watcher)).toEqual(['user: text of m1', 'assistant: half, whole'])
    expect(statuses(watcher)).toMatchObject({ status: 'idle', lastRun: { runId, outcome: 'success' } })
  })

  it('P-62 I6: a cursor from before what another process did gets a snapshot', async () => {
    const { rig, other, id, watcher, stream } = await begin()
    const { epoch = '', seq = 0 } = watcher.last('session.ready') ?? {}
    stream.say(' and more').stop()
    await rig.pass(10)
    const back = await other.ready(id, { cursor: `${epoch}-${seq}` })
    expect(back.last('session.ready')).toMatchObject({ resumed: 'snapshot', status: 'idle' })
    expect(shown(back)).toEqual(['user: text of m1', 'assistant: half and more'])
  })

  it('I1: is told as interrupted, and goes on, when that process dies', async () => {
    const { rig, other, watcher, runId } = await begin()
    await watcher.say('m2')
    rig.store.hold()
    rig.store.die()
    await other.pass(1100)
    expect(watcher.last('session.snapshot')?.messages[1]?.metadata).toMatchObject({ interrupted: true })
    expect(statuses(watcher)).toMatchObject({ lastRun: { runId, outcome: 'interrupted' } })
    ;(await other.model.request(0)).say('two').stop()
    expect(await watcher.end()).toMatchObject({ outcome: { type: 'success' } })
  })

  it('P-63 I4: a stop reaches the run in the other process, and names it', async () => {
    const { rig, other, watcher, client, runId, stream } = await begin()
    expect(await watcher.ask({ type: 'run.cancel' })).toMatchObject({ state: 'cancelling', runId })
    await turns()
    expect(stream.signal.aborted).toBe(true)
    expect(await client.end()).toMatchObject({ outcome: { type: 'cancelled' } })
    await rig.pass(10)
    expect(statuses(watcher)).toMatchObject({ status: 'interrupted', lastRun: { runId, outcome: 'cancelled' } })
    await client.say('m2')
    const next = await rig.model.request(1)
    await other.store.tellElsewhere('cancel', [{ node: rig.store.node, sessionId: randomUUID(), runId }])
    await other.store.tellElsewhere('cancel', [
      { node: rig.store.node, sessionId: client.last('session.ready')?.sessionId ?? '', runId },
    ])
    await turns()
    expect(next.signal.aborted).toBe(false)
  })

  it('P-63 I2: a send waits, is run by exactly one process, and its answer is seen in both', async () => {
    const { rig, other, id, client, watcher, stream } = await begin()
    expect(await watcher.say('m2')).toMatchObject({ state: 'queued' })
    await turns()
    expect(statuses(client)?.queue).toMatchObject([{ clientMessageId: 'm2' }])
    stream.stop()
    await rig.pass(10)
    await other.pass(10)
    const streams = [...rig.model.streams.slice(1), ...other.model.streams]
    expect(streams).toHaveLength(1)
    streams[0]?.say('two').stop()
    await rig.pass(1100)
    await turns()
    for (const socket of [await rig.ready(id), await other.ready(id)])
      expect(shown(socket)).toEqual(['user: text of m1', 'assistant: half', 'user: text of m2', 'assistant: two'])
    expect(statuses(watcher)).toMatchObject({ status: 'idle', queued: 0 })
    expect(statuses(client)).toMatchObject({ status: 'idle', queued: 0 })
  })

  it('P-63: policies and retry as while any run is on', async () => {
    const { watcher, client, runId, stream } = await begin()
    expect(await watcher.ask(send('m2', 'reject'))).toMatchObject({ code: 'run_active' })
    expect(await watcher.ask({ type: 'run.retry', runId })).toMatchObject({ code: 'run_active' })
    expect(await watcher.say('m3')).toMatchObject({ state: 'queued' })
    expect(await watcher.ask(send('m4', 'interrupt'))).toMatchObject({ state: 'queued' })
    await turns()
    expect(stream.signal.aborted).toBe(true)
    await client.end()
    await turns()
    const [first] = client.last('session.status')?.queue ?? []
    expect(first?.clientMessageId).toBe('m3')
  })

  it('I2: a send that the other process knows is a duplicate here', async () => {
    const { watcher, runId } = await begin()
    expect(await watcher.say('m1')).toMatchObject({ state: 'started', duplicate: true, runId })
  })

  it('a queued send is taken out by the process that did not take it in', async () => {
    const { rig, client, watcher, stream } = await begin()
    await client.say('m2')
    const runId = statuses(client)?.queue[0]?.runId ?? ''
    await turns()
    expect(await watcher.ask({ type: 'run.cancel', runId })).toMatchObject({ state: 'cancelling', runId })
    await turns()
    expect(statuses(client)).toMatchObject({ queued: 0 })
    stream.stop()
    await rig.pass(100)
    expect(rig.model.streams).toHaveLength(1)
  })

  it.each([
    ['by its name', (runId: string) => ({ type: 'run.cancel', runId }) as const],
    ['with all', () => ({ type: 'run.cancel', all: true }) as const],
  ])('P-55 P-56 I4: a stop %s reaches a send that the other process has just started', async (_how, command) => {
    const { rig, other, client, watcher } = await begin()
    await client.say('m2')
    const runId = statuses(client)?.queue[0]?.runId ?? ''
    await turns()
    expect(statuses(watcher)).toMatchObject({ queued: 1 })
    other.store.goDeaf()
    await client.ask({ type: 'run.cancel' })
    const next = await rig.model.request(1)
    expect(await watcher.ask(command(runId))).toMatchObject({ state: 'cancelling' })
    await turns()
    expect(next.signal.aborted).toBe(true)
    expect(rig.model.streams).toHaveLength(2)
  })

  it.each([
    ['by its name', (runId: string) => ({ type: 'run.cancel', runId }) as const],
    ['of whatever is on', () => ({ type: 'run.cancel' }) as const],
  ])('P-55 I4: a stop %s reaches a run of the other process that was not heard of yet', async (_how, command) => {
    const { rig, other, client, watcher, stream } = await begin()
    stream.stop()
    await client.end()
    await turns()
    expect(statuses(watcher)).toMatchObject({ status: 'idle' })
    other.store.goDeaf()
    await client.say('m2')
    const next = await rig.model.request(1)
    const runId = statuses(client)?.runId ?? ''
    expect(await watcher.ask(command(runId))).toMatchObject({ state: 'cancelling', runId })
    await turns()
    expect(next.signal.aborted).toBe(true)
    expect(await watcher.ask({ type: 'run.cancel', runId: 'nobody' })).toMatchObject({ state: 'noop' })
  })

  it('P-56: a stop of all takes out a send that another process queued, which was not heard of yet', async () => {
    const { rig, other, client, watcher } = await begin()
    other.store.goDeaf()
    await client.say('m2')
    expect(await watcher.ask({ type: 'run.cancel', all: true })).toMatchObject({ state: 'cancelling' })
    await client.end()
    await rig.pass(100)
    expect(rig.model.streams.filter(({ signal }) => !signal.aborted)).toEqual([])
    expect(statuses(client)).toMatchObject({ queued: 0 })
    expect(statuses(client)?.runId).toBeUndefined()
  })

  it('P-63 I4: a stop that comes while the run starts stops it', async () => {
    const { rig, other, id, client } = await begin()
    await client.say('m2')
    const runId = statuses(client)?.queue[0]?.runId ?? ''
    const commit = rig.store.commit.bind(rig.store)
    vi.spyOn(rig.store, 'commit').mockImplementation(async (write, options) => {
      await commit(write, options)
      // Stored, and the process that starts it has not heard so.
      if (write.runs?.some((run) => run.id === runId && run.status === 'running'))
        await other.store.tellElsewhere('cancel', [{ node: rig.store.node, sessionId: id, runId }])
    })
    await client.ask({ type: 'run.cancel' })
    await rig.pass(100)
    await turns()
    expect(statuses(client)).toMatchObject({ status: 'interrupted', lastRun: { runId, outcome: 'cancelled' } })
  })

  it('a title, wallet or model that is set here is not undone by the end of the run there', async () => {
    const { rig, other, id, client, watcher, stream } = await begin()
    const wallet = { address: '0xabc', chain: '1' }
    await watcher.ask({ type: 'session.update', title: 'Mine', wallet, model: 'puppet/q' })
    stream.stop()
    await rig.pass(10)
    expect((await rig.store.load(id))?.session).toMatchObject({ title: 'Mine', wallet, model: 'puppet/q' })
    expect(client.last('session.updated')).toMatchObject({ title: 'Mine', wallet, model: 'puppet/q' })
    await watcher.ask({ type: 'session.update', wallet: null })
    await turns()
    expect(client.last('session.updated')).toEqual({ type: 'session.updated', wallet: null })
    expect((await other.store.load(id))?.session).not.toHaveProperty('wallet')
  })
})

describe('a run from an App that stops those that nobody watches, while there is another process', () => {
  const app = { stopAfterDisconnectMs: 5000 }

  /** Time passes for both, in steps shorter than a look. */
  async function pass({ rig, other }: Awaited<ReturnType<typeof begin>>, ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 500) {
      await rig.pass(500)
      await other.pass(0)
      await turns()
    }
  }

  it('I4: goes on while somebody watches it through that one, and ends a grace after they left', async () => {
    const begun = await begin({ app })
    begun.client.cut()
    await pass(begun, 20_000)
    expect(begun.stream.signal.aborted).toBe(false)
    begun.watcher.cut()
    await pass(begun, 4000)
    expect(begun.stream.signal.aborted).toBe(false)
    await pass(begun, 4000)
    expect(begun.stream.signal.aborted).toBe(true)
  })

  it('I4: has a short grace only where nobody could be heard of', async () => {
    const begun = await begin({ app: { stopAfterDisconnectMs: 500 } })
    begun.client.cut()
    await pass(begun, 10_000)
    expect(begun.stream.signal.aborted).toBe(false)
    begun.watcher.cut()
    await pass(begun, 4500)
    expect(begun.stream.signal.aborted).toBe(true)
  })
})

describe('a run that ends while the store is asked what another process did', () => {
  /** What another process changed is being read, and the run ends here. The reading's answer is `answer`'s. */
  async function ending(answer: (store: MemoryStore, id: string) => Promise<LoadedSession | undefined>) {
    const begun = await begin()
    const { rig, id, client, watcher, stream } = begun
    const asked = deferred<undefined>()
    const load = vi.spyOn(rig.store, 'load')
    load.mockImplementationOnce(async () => {
      await asked.promise
      return answer(rig.store, id)
    })
    await watcher.ask({ type: 'session.update', title: 'x' })
    await turns()
    expect(load).toHaveBeenCalledOnce()
    stream.stop()
    expect(await client.end()).toMatchObject({ outcome: { type: 'success' } })
    return { ...begun, load, asked }
  }

  /** A new tab, and a send: nothing is on. */
  async function expectFree({ rig, id }: { readonly rig: ChatRig; readonly id: string }): Promise<void> {
    const late = await rig.ready(id)
    expect(late.last('session.ready')).toMatchObject({ status: 'idle', queue: [] })
    expect(late.last('session.ready')).not.toHaveProperty('runId')
    expect(await late.say('m2')).toMatchObject({ state: 'started' })
    ;(await rig.model.request(1)).say('two').stop()
    expect(await late.end()).toMatchObject({ outcome: { type: 'success' } })
  }

  it('I1 I8 P-80: is not on any more when the store gives no answer', async () => {
    const begun = await ending(() => Promise.reject(new ParleyError('store_unavailable')))
    begun.asked.resolve(undefined)
    await turns()
    await expectFree(begun)
  })

  it('I1 I8 P-80: is not on any more when what the store tells cannot be mended', async () => {
    const begun = await ending((store, id) => store.fork().load(id))
    const { rig, id, load, asked } = begun
    // Read again, as the run ended meanwhile: there is one of a process that died, and its end is refused.
    load.mockImplementationOnce(async () => {
      const loaded = await rig.store.fork().load(id)
      if (loaded?.lastRun === undefined) throw new Error('not stored')
      const run: RunRow = { ...loaded.lastRun, id: randomUUID(), status: 'running', node: 'gone' }
      return { ...loaded, openRuns: [{ run, nodeAlive: false }] }
    })
    rig.store.refuseNext('store_unavailable')
    asked.resolve(undefined)
    await turns(5)
    await expectFree(begun)
  })
})

describe('a session that is idle in two processes', () => {
  async function idle() {
    stopClock()
    const rig = new ChatRig({ settings })
    const id = randomUUID()
    const client = await rig.ready(id)
    await client.say('m1')
    ;(await rig.model.request(0)).say('one').stop()
    await client.end()
    const other = rig.fork()
    const watcher = await other.ready(id)
    return { rig, id, client, other, watcher }
  }

  it('P-62: follows what the other does, whoever began', async () => {
    const { rig, other, client, watcher } = await idle()
    await watcher.say('m2')
    const stream = await other.model.request(0)
    await turns()
    expect(statuses(client)).toMatchObject({ status: 'processing' })
    stream.say('two').stop()
    await watcher.end()
    await other.pass(10)
    await turns()
    expect(shown(client)).toEqual(['user: text of m1', 'assistant: one', 'user: text of m2', 'assistant: two'])
    await client.say('m3')
    const next = await rig.model.request(1)
    expect(next.request.messages).toHaveLength(5)
    next.stop()
    await client.end()
    await turns()
  })

  it('a send on a copy that another process went ahead of is tried on what is there', async () => {
    const { rig, other, client, watcher } = await idle()
    rig.store.goDeaf()
    await watcher.say('m2')
    ;(await other.model.request(0)).say('two').stop()
    await watcher.end()
    await other.pass(10)
    await turns()
    expect(statuses(client)).toMatchObject({ status: 'idle' })
    expect(shown(client)).toHaveLength(0)
    expect(await client.say('m3')).toMatchObject({ state: 'started' })
    expect(shown(client)).toHaveLength(4)
    expect((await rig.model.request(1)).request.messages).toHaveLength(5)
  })

  it('I8: a copy that nobody uses leaves memory when another process writes', async () => {
    const { rig, other, id, client, watcher } = await idle()
    client.cut()
    await rig.pass(1100)
    await watcher.say('m2')
    ;(await other.model.request(0)).say('two').stop()
    await watcher.end()
    await other.pass(10)
    await turns()
    const back = await rig.ready(id)
    expect(shown(back)).toHaveLength(4)
  })

  it('is put right when the other process left it as if there were work', async () => {
    const { rig, other, id, client } = await idle()
    const loaded = await other.store.load(id)
    if (loaded === undefined) throw new Error('not stored')
    const session = { ...loaded.session, status: 'processing' } as const
    await other.store.commit({ sessionId: id, session }, { giveUpAfterMs: 1000 })
    await rig.pass(10)
    await turns()
    expect((await rig.store.load(id))?.session.status).toBe('idle')
    expect(statuses(client)).toMatchObject({ status: 'idle', queued: 0 })
  })

  it('is closed when the other process removes it', async () => {
    const { other, id, client } = await idle()
    await other.chat.directory.delete({ app: 'default' }, id)
    expect(await client.closed()).toMatchObject({ code: 4404 })
  })

  it('I10: is closed when another process made it for someone else', async () => {
    stopClock()
    const rig = new ChatRig()
    const id = randomUUID()
    const early = await rig.ready(id)
    const other = rig.fork({
      identify: async () => ({ kind: 'anonymous', scopes: ['read', 'write'], apps: ['default'], user: 'ann' }),
    })
    const owner = await other.ready(id)
    await owner.say('m1')
    expect(await early.closed()).toMatchObject({ code: 4404 })
    expect(JSON.stringify(early.frames)).not.toContain('text of m1')
    ;(await other.model.request(0)).stop()
  })

  it('I5: leaves the queue alone while a run that it did not hear of is on there', async () => {
    const { rig, client, other, watcher, stream } = await begin()
    stream.stop()
    await rig.pass(1500)
    await other.pass(1500)
    other.store.goAway()
    await client.say('m2')
    const second = await rig.model.request(1)
    await client.say('m3')
    await other.pass(10)
    other.store.comeBack()
    other.store.hold()
    await other.pass(1500)
    expect(other.store.waiting).toBe(0)
    expect(statuses(watcher)).toMatchObject({ status: 'processing', queue: [{ content: 'text of m3' }] })
    second.stop()
    await rig.pass(10)
    expect(await rig.model.request(2)).toMatchObject({ request: { messages: { length: 4 } } })
  })
})
