import { randomUUID } from 'node:crypto'
import { describe, expect, it, vi } from 'vitest'
import type { Conversation, Follower, Sender, Told } from '../../src/ports/conversations.ts'
import { ParleyError } from '../../src/protocol/errors.ts'
import { ANYONE, ChatRig, stopClock } from '../support/chat-rig.ts'
import { collectGarbage } from '../support/collect-garbage.ts'
import { createDeafStore } from '../support/deaf-store.ts'
import { turns } from '../support/turns.ts'

const OWNER = { app: 'default' }
const SENDER: Sender = { principal: ANYONE, from: { address: '127.0.0.1', forwarded: false } }
/** Milliseconds for which a poller counts as watching. */
const STAY_MS = 10_000

class Listener implements Follower {
  readonly heard: Told[] = []
  readonly admitted: string[] = []
  end: ParleyError | undefined
  refusal: ParleyError | undefined

  async admit({ id }: Conversation): Promise<void> {
    if (this.refusal !== undefined) throw this.refusal
    this.admitted.push(id)
  }

  told(what: Told): void {
    this.heard.push(what)
  }

  ended(error: ParleyError): void {
    this.end = error
  }
}

/** Something to wait for, until the test opens it. */
function opening(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve: () => void = () => undefined
  const promise = new Promise<void>((done) => {
    resolve = done
  })
  return { promise, resolve }
}

describe('a session that is polled', () => {
  it('is watched as long as polls come: only then an answer is stopped for want of a watcher', async () => {
    stopClock()
    const rig = new ChatRig({ app: { stopAfterDisconnectMs: 1000 } })
    const id = randomUUID()
    const conversation = await rig.chat.conversations.open(id, OWNER)
    await conversation.send(SENDER, 'hello')
    await rig.model.request(0)
    for (let poll = 0; poll < 8; poll++) {
      await rig.pass(STAY_MS / 2)
      expect((await rig.chat.conversations.find(id))?.record.status).toBe('processing')
    }
    await rig.pass(STAY_MS + 3000)
    const after = await rig.chat.conversations.find(id)
    expect(after?.record.status).toBe('interrupted')
  })

  it('has the same version until something changes, and another one then', async () => {
    const rig = new ChatRig()
    const conversation = await rig.chat.conversations.open(randomUUID(), OWNER)
    const version = async () => (await conversation.snapshot(() => false)).version
    const seen = [await version(), await version()]
    await conversation.send(SENDER, 'hello')
    seen.push(await version(), await version())
    const stream = await rig.model.request(0)
    stream.say('Hi')
    await turns()
    seen.push(await version())
    await conversation.update({ title: 'Named' })
    seen.push(await version())
    await conversation.cancel(await conversation.runs())
    await conversation.idle(1000)
    seen.push(await version(), await version())
    const expected = [0, 0, 1, 1, 2, 3, 4, 4]
    const order = [...new Set(seen)]
    expect(seen.map((one) => order.indexOf(one))).toEqual(expected)
  })

  it('a stop of runs that are over touches nothing', async () => {
    const rig = new ChatRig()
    const conversation = await rig.chat.conversations.open(randomUUID(), OWNER)
    await conversation.send(SENDER, 'one')
    const stale = await conversation.runs()
    await conversation.cancel(stale)
    await conversation.idle(1000)
    await conversation.send(SENDER, 'two')
    await conversation.send(SENDER, 'three')
    await conversation.cancel(stale)
    expect(await conversation.runs()).toHaveLength(2)
    const { messages = [], status } = await conversation.snapshot(() => true)
    expect([status, messages.filter(({ role }) => role === 'user').length]).toEqual(['processing', 3])
  })

  it('ends the feed of a send that another process takes out of the queue', async () => {
    const rig = new ChatRig()
    const id = randomUUID()
    const conversation = await rig.chat.conversations.open(id, OWNER)
    await conversation.send(SENDER, 'one')
    const { runId, feed } = await conversation.send(SENDER, 'two', { listen: true })
    const heard: unknown[] = []
    void feed?.next().then((events) => heard.push(events))
    await turns()
    const elsewhere = await rig.fork().chat.conversations.open(id, OWNER)
    await elsewhere.cancel([runId])
    await turns(10)
    expect(heard).toEqual([undefined])
  })

  it('fails the feed of a send that another process has started', async () => {
    const rig = new ChatRig()
    const id = randomUUID()
    const conversation = await rig.chat.conversations.open(id, OWNER)
    await conversation.send(SENDER, 'one')
    const { runId, feed } = await conversation.send(SENDER, 'two', { listen: true })
    const heard = feed?.next()
    const other = rig.fork()
    // As in the moment in which the run before has ended in the store and not here yet.
    vi.spyOn(rig.store, 'load').mockImplementationOnce(async () => {
      const loaded = await other.store.load(id)
      if (loaded === undefined) throw new Error('not stored')
      const openRuns = loaded.openRuns.filter(({ run }) => run.id !== runId)
      return { ...loaded, openRuns, lastPosition: loaded.lastPosition + 1 }
    })
    await (await other.chat.conversations.open(id, OWNER)).update({ title: 'a change that is heard of' })
    await expect(heard).rejects.toMatchObject({ code: 'overloaded' })
  })

  it('tells a feed of a send that waits for a run of another process all of its answer, where it is started here', async () => {
    stopClock()
    const leaving = new ChatRig({ settings: { checkpointMs: 1000 } })
    const id = randomUUID()
    await (await leaving.chat.conversations.open(id, OWNER)).send(SENDER, 'one')
    const before = await leaving.model.request(0)
    const rig = leaving.fork()
    const conversation = await rig.chat.conversations.open(id, OWNER)
    const { feed, state } = await conversation.send(SENDER, 'two', { listen: true })
    expect(state).toBe('queued')
    const heard: string[] = []
    const over = (async () => {
      for (let events = await feed?.next(); events !== undefined; events = await feed?.next())
        heard.push(...events.map(({ type }) => type))
    })()
    before.say('half')
    await leaving.pass(1500)
    await rig.pass(1500)
    // The queue changes behind what the other process said.
    await conversation.cancel([(await conversation.send(SENDER, 'three')).runId])
    void leaving.chat.drain(30_000)
    before.stop()
    await leaving.pass(100)
    await rig.pass(2000)
    ;(await rig.model.request(0)).say('whole').stop()
    await over
    expect([heard[0], heard.at(-1)]).toEqual(['RUN_STARTED', 'RUN_FINISHED'])
    expect(heard).toContain('TEXT_MESSAGE_CONTENT')
  })

  it('a run begins after what it has to wait for, and fails as that does', async () => {
    const rig = new ChatRig()
    const conversation = await rig.chat.conversations.open(randomUUID(), OWNER)
    const first = opening()
    await conversation.send(SENDER, 'hello', { before: () => first.promise })
    await turns()
    expect([rig.model.streams.length, (await conversation.runs()).length]).toEqual([0, 1])
    first.resolve()
    const model = await rig.model.request(0)
    model.say('Hi').stop()
    await conversation.idle(1000)
    const away = new ParleyError('store_unavailable')
    const { feed } = await conversation.send(SENDER, 'again', { listen: true, before: () => Promise.reject(away) })
    const events = [await feed?.next(), await feed?.next()].flatMap((some) => some ?? [])
    expect(events.at(-1)).toMatchObject({ type: 'RUN_ERROR', code: 'store_unavailable' })
    expect(rig.model.streams).toHaveLength(1)
    const { lastRun } = await conversation.snapshot(() => false)
    expect(lastRun).toMatchObject({ outcome: 'error', code: 'store_unavailable' })
  })

  it('a stop of a run that waits to begin is its end', async () => {
    const rig = new ChatRig()
    const conversation = await rig.chat.conversations.open(randomUUID(), OWNER)
    const waits = opening()
    const { runId } = await conversation.send(SENDER, 'hello', { before: () => waits.promise })
    await conversation.cancel([runId])
    waits.resolve()
    await conversation.idle(1000)
    expect(await conversation.snapshot(() => false)).toMatchObject({ status: 'interrupted', lastRun: { runId } })
    expect(rig.model.streams).toHaveLength(0)
  })

  it('that another process removed in between is not found', async () => {
    const rig = new ChatRig()
    const other = rig.fork()
    const id = randomUUID()
    const conversation = await rig.chat.conversations.open(id, OWNER)
    await conversation.make()
    await turns()
    await other.chat.directory.delete(OWNER, id)
    await turns()
    expect(await rig.chat.conversations.find(id)).toBeUndefined()
    await expect(conversation.update({ title: 'x' })).rejects.toMatchObject({ code: 'session_not_found' })
  })
})

describe('a follower', () => {
  it('waits for the session, is told its title and tools, and of its end', async () => {
    const rig = new ChatRig()
    const [id, listener] = [randomUUID(), new Listener()]
    rig.chat.conversations.follow(id, listener)
    await turns()
    expect(listener.admitted).toEqual([])
    const conversation = await rig.chat.conversations.open(id, OWNER)
    await conversation.send(SENDER, 'hello')
    const stream = await rig.model.request(0)
    stream.call('c1', 'echo', { a: 1 }).stop('tools')
    ;(await rig.model.request(1)).say('done').stop()
    await conversation.idle(1000)
    expect(listener.heard).toEqual([
      { kind: 'title', title: 'hello' },
      { kind: 'tool', callId: 'c1', name: 'echo' },
      { kind: 'tool', callId: 'c1', name: 'echo', result: { text: '{"a":1}', isError: false } },
    ])
    await rig.chat.directory.delete(OWNER, id)
    expect(listener.end?.code).toBe('session_not_found')
  })

  it('that may not is told nothing', async () => {
    const rig = new ChatRig()
    const [id, listener] = [randomUUID(), new Listener()]
    listener.refusal = new ParleyError('unauthorized')
    rig.chat.conversations.follow(id, listener)
    await (await rig.chat.conversations.open(id, OWNER)).update({ title: 'Secret' })
    await turns()
    expect([listener.end?.code, listener.heard]).toEqual(['unauthorized', []])
  })

  it('is told a title that is set again once', async () => {
    const rig = new ChatRig()
    const [id, listener] = [randomUUID(), new Listener()]
    const conversation = await rig.chat.conversations.open(id, OWNER)
    rig.chat.conversations.follow(id, listener)
    await turns()
    for (const title of ['Named', 'Named', 'Anew']) await conversation.update({ title })
    expect(listener.heard).toEqual([
      { kind: 'title', title: 'Named' },
      { kind: 'title', title: 'Anew' },
    ])
  })

  it('I4: that left while it was being let in does not count as one who watches', async () => {
    stopClock()
    const rig = new ChatRig({ app: { stopAfterDisconnectMs: 1000 } })
    const [id, listener, admits] = [randomUUID(), new Listener(), opening()]
    vi.spyOn(listener, 'admit').mockReturnValue(admits.promise)
    const client = await rig.ready(id)
    await client.say('m1')
    const stream = await rig.model.request(0)
    const leave = rig.chat.conversations.follow(id, listener)
    await turns()
    leave()
    admits.resolve()
    await turns()
    client.cut()
    await rig.pass(1100)
    expect(stream.signal.aborted).toBe(true)
  })

  it('I7: that has left is not kept, and what it waited for is not asked for any more', async () => {
    const rig = new ChatRig()
    const [known, unknown] = [randomUUID(), randomUUID()]
    await rig.chat.conversations.open(known, OWNER)
    const left = async (id: string): Promise<WeakRef<Listener>> => {
      const listener = new Listener()
      const leave = rig.chat.conversations.follow(id, listener)
      await turns()
      leave()
      return new WeakRef(listener)
    }
    const gone = [await left(known), await left(unknown)]
    await collectGarbage()
    expect(gone.map((listener) => listener.deref())).toEqual([undefined, undefined])
    const loads = vi.spyOn(rig.store, 'load')
    await (await rig.fork().chat.conversations.open(unknown, OWNER)).make()
    await turns()
    expect(loads).not.toHaveBeenCalled()
  })

  it('hears of a session that another process makes', async () => {
    const rig = new ChatRig()
    const other = rig.fork()
    const [id, listener] = [randomUUID(), new Listener()]
    const leave = rig.chat.conversations.follow(id, listener)
    await turns()
    await (await other.chat.conversations.open(id, OWNER)).update({ title: 'Elsewhere' })
    await expect.poll(() => listener.heard).toEqual([{ kind: 'title', title: 'Elsewhere' }])
    leave()
    expect(listener.end).toBeUndefined()
  })

  it('hears of one that another process made while notices were lost', async () => {
    const { store, tell } = createDeafStore()
    const rig = new ChatRig({ store })
    const other = rig.fork()
    const [id, listener] = [randomUUID(), new Listener()]
    rig.chat.conversations.follow(id, listener)
    await turns()
    await (await other.chat.conversations.open(id, OWNER)).update({ title: 'Elsewhere' })
    await turns(10)
    expect(listener.heard).toEqual([])
    tell({ kind: 'everything' })
    await expect.poll(() => listener.heard).toEqual([{ kind: 'title', title: 'Elsewhere' }])
  })
})
