import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { Principal } from '../../src/ports/access.ts'
import { ANYONE, ChatRig, type RigOptions, stopClock } from '../support/chat-rig.ts'
import { createDeafStore } from '../support/deaf-store.ts'
import { turns } from '../support/turns.ts'

const OWNER = { app: 'default' }
const ANN: Principal = { ...ANYONE, kind: 'ticket', account: 'acme', user: 'ann' }
const ANNS = { app: 'default', account: 'acme', user: 'ann' }

/** A run in one process that hears nothing of others (its notices are on their way), and another process. */
async function begin(options: RigOptions = {}) {
  stopClock()
  const rig = new ChatRig({ settings: { checkpointMs: 1000 }, ...options })
  const id = randomUUID()
  const client = await rig.ready(id)
  await client.say('m1')
  const stream = await rig.model.request(0)
  stream.say('half')
  await rig.pass(10)
  const other = rig.fork()
  rig.store.goDeaf()
  return { rig, id, client, stream, other }
}

/** What the first process still holds of the session: a client that comes back to it, with its old position, gets nothing of it. */
async function expectForgotten(rig: ChatRig, id: string, cursor: string) {
  const back = await rig.ready(id, { cursor })
  expect(back.last('session.ready')).toMatchObject({ resumed: 'new', status: 'idle', queue: [], pending: [] })
  expect(back.last('session.ready')).not.toHaveProperty('title')
  expect(JSON.stringify(back.frames)).not.toMatch(/half|text of/)
}

const cursorOf = (client: Awaited<ReturnType<typeof begin>>['client']) => {
  const { epoch = '', seq = 0 } = client.last('session.ready') ?? {}
  return `${epoch}-${seq}`
}

describe('a session that another process deleted, before this one hears of it', () => {
  it('is not made again by the end of its run: who watched is closed with 4404', async () => {
    const { rig, id, client, stream, other } = await begin()
    await other.chat.directory.delete(OWNER, id)
    stream.say(' and whole').stop()
    expect(await client.closed()).toEqual({ code: 4404, reason: 'session_not_found' })
    await rig.pass(2000)
    expect(await rig.store.load(id)).toBeUndefined()
    expect(rig.logged.filter(({ level }) => level === 'error')).toEqual([])
    await expectForgotten(rig, id, cursorOf(client))
  })

  it('is not made again by a checkpoint, a title or a send: who asks is told, and closed with 4404', async () => {
    const { rig, id, client, stream, other } = await begin()
    await other.chat.directory.delete(OWNER, id)
    stream.say(' and more')
    await rig.pass(2500)
    expect(await rig.store.load(id)).toBeUndefined()
    void client.ask({ type: 'session.update', title: 'late' })
    void client.say('m2')
    await client.closed()
    expect(client.last('error')).toMatchObject({ code: 'session_not_found', retryable: false })
    expect(stream.signal.aborted).toBe(true)
    expect(await client.closed()).toMatchObject({ code: 4404 })
    await rig.pass(2000)
    expect(await rig.store.load(id)).toBeUndefined()
    await expectForgotten(rig, id, cursorOf(client))
  })

  it('takes no send that waits behind its run', async () => {
    const { rig, id, client, other } = await begin()
    await other.chat.directory.delete(OWNER, id)
    void client.say('m2')
    expect(await client.closed()).toMatchObject({ code: 4404 })
    expect(client.last('error')).toMatchObject({ code: 'session_not_found' })
    await rig.pass(2000)
    expect([await rig.store.load(id), rig.model.streams.length]).toEqual([undefined, 1])
  })

  it('takes no send when it was idle; the next one after that begins a new session', async () => {
    const { rig, id, client, stream, other } = await begin()
    stream.stop()
    await client.end()
    await other.chat.directory.delete(OWNER, id)
    void client.say('m2')
    expect(await client.closed()).toMatchObject({ code: 4404 })
    const again = await rig.ready(id)
    expect(await again.say('m2')).toMatchObject({ state: 'started', duplicate: false })
    expect((await rig.stored(id)).map(({ content }) => content)).toEqual(['text of m2'])
    ;(await rig.model.request(1)).stop()
    await again.end()
  })

  it('asks no model for a title any more', async () => {
    const { rig, id, client, stream, other } = await begin({ settings: { titles: true } })
    await other.chat.directory.delete(OWNER, id)
    stream.stop()
    await client.closed()
    await rig.pass(100)
    expect([rig.model.streams.length, rig.model.titleStreams.length]).toEqual([1, 0])
  })
})

it('a session that was deleted while the only process could hear nothing is dropped when it hears again', async () => {
  const { store, tell } = createDeafStore()
  const rig = new ChatRig({ store })
  const [gone, kept] = [randomUUID(), randomUUID()]
  for (const [nth, id] of [gone, kept].entries()) {
    const client = await rig.ready(id)
    await client.say('m1')
    ;(await rig.model.request(nth)).say('dear').stop()
    await client.end()
  }
  await turns()
  await store.delete(gone)
  tell({ kind: 'everything' })
  await turns(20)
  expect(rig.sockets.map(({ closedWith }) => closedWith?.code)).toEqual([4404, undefined])
})

describe('a session that was deleted and made anew elsewhere before this process looks', () => {
  async function remade(owner: object) {
    const { rig, id, client, stream, other } = await begin()
    const at = Date.now() + 5
    await other.store.delete(id)
    const session = { id, app: 'default', ...owner, status: 'idle', createdAt: at, updatedAt: at } as const
    await other.store.commit({ sessionId: id, session }, { giveUpAfterMs: 1000 })
    // It reads the store before its next command decides.
    rig.store.refuseNext('store_unavailable')
    await client.ask({ type: 'session.update', title: 'lost' })
    void client.ask({ type: 'session.update', title: 'late' })
    expect(await client.closed()).toMatchObject({ code: 4404 })
    return { rig, id, stream }
  }

  it.each([{}, { user: 'bob' }])('gets nothing of the old one, whose run is stopped (owner: %o)', async (owner) => {
    const { rig, id, stream } = await remade(owner)
    expect(stream.signal.aborted).toBe(true)
    await rig.pass(3000)
    expect(await rig.stored(id)).toEqual([])
    expect((await rig.store.load(id))?.session).not.toHaveProperty('title')
  })
})

describe('the deletion of a user', () => {
  it('takes every session of theirs and no other', async () => {
    const rig = new ChatRig({ identify: async () => ANN })
    const ids = [randomUUID(), randomUUID(), randomUUID()]
    const clients = await Promise.all(ids.map((id) => rig.ready(id)))
    for (const client of clients) await client.say('m1')
    const others = [
      { ...ANNS, user: 'bob' },
      { ...ANNS, account: 'other' },
      { ...ANNS, app: 'bank' },
      { app: 'default', account: 'acme' },
    ]
    const kept = others.map(
      (owner) => ({ id: randomUUID(), ...owner, status: 'idle', createdAt: 1, updatedAt: 1 }) as const,
    )
    for (const session of kept) await rig.store.commit({ sessionId: session.id, session }, { giveUpAfterMs: 1000 })
    expect(await rig.chat.directory.deleteUser(ANNS)).toEqual({ deleted: 3, complete: true })
    expect(clients.map(({ closedWith }) => closedWith?.code)).toEqual([4404, 4404, 4404])
    expect(await Promise.all(ids.map((id) => rig.store.load(id)))).toEqual([undefined, undefined, undefined])
    for (const { id } of kept) expect(await rig.store.load(id)).toBeDefined()
    expect(await rig.chat.directory.deleteUser(ANNS)).toEqual({ deleted: 0, complete: true })
  })

  it('goes on until a page is empty', async () => {
    const rig = new ChatRig()
    for (let nth = 0; nth < 45; nth++) {
      const session = { id: randomUUID(), ...ANNS, status: 'idle', createdAt: 1, updatedAt: nth } as const
      await rig.store.commit({ sessionId: session.id, session }, { giveUpAfterMs: 1000 })
    }
    expect(await rig.chat.directory.deleteUser(ANNS)).toEqual({ deleted: 45, complete: true })
    expect(await rig.store.list(ANNS, 9)).toEqual([])
  })
})
