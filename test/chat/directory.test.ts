import { randomUUID } from 'node:crypto'
import { describe, expect, it, vi } from 'vitest'
import type { Principal } from '../../src/ports/access.ts'
import { ParleyError } from '../../src/protocol/errors.ts'
import { ANYONE, ChatRig, type RigOptions, stopClock } from '../support/chat-rig.ts'
import { turns } from '../support/turns.ts'

const ANN: Principal = { ...ANYONE, kind: 'ticket', account: 'acme', user: 'ann' }
const OWNER = { app: 'default', account: 'acme', user: 'ann' }
const FOREIGN = [{ app: 'default' }, { ...OWNER, user: 'bob' }, { ...OWNER, app: 'other' }]

async function begin(options: RigOptions = {}) {
  const rig = new ChatRig({ identify: async () => ANN, ...options })
  const id = randomUUID()
  const client = await rig.ready(id)
  await client.say('m1')
  return { rig, id, client, stream: await rig.model.request(0) }
}

describe('the list of sessions', () => {
  it('I10: is the owner’s own; one without account and user has none', async () => {
    const { rig, id } = await begin()
    expect(await rig.chat.directory.list(OWNER, 10)).toMatchObject([{ id, title: 'text of m1', status: 'processing' }])
    for (const owner of FOREIGN) expect(await rig.chat.directory.list(owner, 10)).toEqual([])
  })

  it.each([
    ['an account', { app: 'default', account: 'acme' }],
    ['a user', { app: 'default', user: 'ann' }],
  ])('I10: is there for %s alone', async (_who, owner) => {
    const { rig, id } = await begin({
      identify: async () => ({ ...ANN, account: undefined, user: undefined, ...owner }),
    })
    expect(await rig.chat.directory.list(owner, 10)).toMatchObject([{ id }])
  })
})

describe('a rename', () => {
  it('is durable, told to who is connected, and never overwritten by the model', async () => {
    const { rig, id, client, stream } = await begin({ settings: { titles: true } })
    await rig.chat.directory.rename(OWNER, id, 'Mine')
    expect(client.last('session.updated')?.title).toBe('Mine')
    stream.say('x').stop()
    await client.end()
    await turns()
    expect((await rig.store.load(id))?.session).toMatchObject({ title: 'Mine', titleBy: 'person' })
  })

  it('does not write over the status of a run that only the store knows of', async () => {
    const { rig, id, client, stream } = await begin()
    stream.stop()
    await client.end()
    const commit = rig.store.commit.bind(rig.store)
    vi.spyOn(rig.store, 'commit').mockImplementationOnce(async (write, options) => {
      await commit(write, options)
      throw new ParleyError('store_unavailable')
    })
    expect(await client.say('m2')).toMatchObject({ code: 'store_unavailable' })
    await rig.chat.directory.rename(OWNER, id, 'Mine')
    expect((await rig.store.load(id))?.session).toMatchObject({ title: 'Mine', status: 'processing' })
  })

  it('of a session that nobody has open works, and it is the same session for who opens it meanwhile', async () => {
    const { rig, id, client, stream } = await begin({ settings: { recordCount: 1 } })
    stream.stop()
    await client.end()
    client.cut()
    await turns()
    rig.store.hold()
    const renamed = rig.chat.directory.rename(OWNER, id, 'Mine')
    await turns()
    for (let nth = 0; nth < 3; nth++) {
      ;(await rig.ready(randomUUID())).cut()
      await turns()
    }
    const opened = rig.ready(id)
    await turns()
    rig.store.release()
    await renamed
    await (await opened).say('m2')
    expect((await rig.store.load(id))?.session.title).toBe('Mine')
  })

  it.each([...FOREIGN, 'missing'])('I10: of a foreign or missing session is not found (%j)', async (owner) => {
    const { rig, id, client } = await begin()
    const renamed =
      typeof owner === 'string'
        ? rig.chat.directory.rename(OWNER, randomUUID(), 'x')
        : rig.chat.directory.rename(owner, id, 'x')
    await expect(renamed).rejects.toMatchObject({ code: 'session_not_found' })
    expect(client.last('session.updated')?.title).toBe('text of m1')
  })
})

describe('a delete', () => {
  it('finds what another process made a moment ago, where somebody is connected who knows nothing of it', async () => {
    const rig = new ChatRig({ identify: async () => ANN })
    const id = randomUUID()
    const early = await rig.ready(id)
    rig.store.goDeaf()
    const other = rig.fork()
    await (await other.ready(id)).say('m1')
    await rig.chat.directory.delete(OWNER, id)
    expect(await rig.store.load(id)).toBeUndefined()
    expect(early.closedWith?.code).toBe(4404)
  })

  it('stops the run, closes the connections with 4404 and removes all of it', async () => {
    const { rig, id, client, stream } = await begin()
    await client.say('m2')
    stream.say('half')
    await turns()
    await rig.chat.directory.delete(OWNER, id)
    expect(stream.signal.aborted).toBe(true)
    expect(client.closedWith).toEqual({ code: 4404, reason: 'session_not_found' })
    expect(await rig.store.load(id)).toBeUndefined()
    await turns(20)
    expect(rig.model.streams).toHaveLength(1)
    expect(await rig.store.load(id)).toBeUndefined()
    const again = await rig.ready(id)
    expect(again.last('session.ready')).toMatchObject({ resumed: 'new', status: 'idle', queue: [] })
    await expect(rig.chat.directory.delete(OWNER, id)).rejects.toMatchObject({ code: 'session_not_found' })
  })

  it('is not undone by what was asked for meanwhile', async () => {
    const { rig, id, client, stream } = await begin()
    stream.stop()
    await client.end()
    rig.store.hold()
    const answers = [client.say('m2')]
    await turns()
    const deleted = rig.chat.directory.delete(OWNER, id)
    answers.push(client.say('m3'), client.ask({ type: 'session.update', title: 'x' }))
    await turns()
    rig.store.release()
    await deleted
    await turns(20)
    expect(await rig.store.load(id)).toBeUndefined()
    expect(client.closedWith?.code).toBe(4404)
  })

  it.each(FOREIGN)('I10: of a foreign session is not found (%j)', async (owner) => {
    const { rig, id, client } = await begin()
    await expect(rig.chat.directory.delete(owner, id)).rejects.toMatchObject({ code: 'session_not_found' })
    expect(client.closedWith).toBeUndefined()
    expect(await rig.store.load(id)).toBeDefined()
  })

  it('is refused while the store is away; the session stays', async () => {
    stopClock()
    const { rig, id, client } = await begin()
    rig.store.goAway()
    const refused = rig.chat.directory.delete(OWNER, id).catch((thrown: unknown) => thrown)
    await rig.pass(31_000)
    expect(await refused).toMatchObject({ code: 'store_unavailable' })
    rig.store.comeBack()
    await turns()
    expect(client.closedWith).toBeUndefined()
    expect(await client.say('m2')).toMatchObject({ state: 'started' })
  })
})

describe('a delete of what is empty', () => {
  const NOBODYS = { app: 'default' }

  /** A session that was made and in which nobody said anything. */
  async function made(rig = new ChatRig()) {
    const id = randomUUID()
    await (await rig.chat.conversations.open(id, NOBODYS)).make()
    return { rig, id, client: await rig.ready(id) }
  }

  it('is done when it is answered: the session is gone from the store, and its connections with it', async () => {
    const { rig, id, client } = await made()
    await rig.chat.directory.deleteEmpty(NOBODYS, id)
    expect(client.closedWith?.code).toBe(4404)
    expect(await rig.store.load(id)).toBeUndefined()
    await expect(rig.chat.directory.deleteEmpty(NOBODYS, id)).rejects.toMatchObject({ code: 'session_not_found' })
  })

  it('leaves one with a run, one with a past and one with a queue as it is', async () => {
    const { rig, id, client } = await made()
    await client.say('m1')
    await rig.chat.directory.deleteEmpty(NOBODYS, id)
    const stream = await rig.model.request(0)
    stream.stop()
    await client.end()
    await rig.chat.directory.deleteEmpty(NOBODYS, id)
    expect((await rig.stored(id)).map(({ content }) => content)).toEqual(['text of m1'])
    expect(client.closedWith).toBeUndefined()
  })

  it('leaves one in which somebody said something elsewhere in the same moment, and shows it', async () => {
    const { rig, id, client } = await made()
    rig.store.goDeaf()
    const other = rig.fork()
    await (await other.ready(id)).say('m1')
    await rig.chat.directory.deleteEmpty(NOBODYS, id)
    expect((await rig.stored(id)).map(({ content }) => content)).toEqual(['text of m1'])
    expect(client.last('session.snapshot')?.messages).toHaveLength(1)
  })

  it('takes one that is empty still, whatever else was set elsewhere in the same moment', async () => {
    stopClock()
    const { rig, id } = await made()
    rig.store.goDeaf()
    const other = rig.fork()
    await rig.pass(1)
    await other.chat.directory.rename(NOBODYS, id, 'Mine')
    await rig.chat.directory.deleteEmpty(NOBODYS, id)
    expect(await rig.store.load(id)).toBeUndefined()
  })
})
