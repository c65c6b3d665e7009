import { randomUUID } from 'node:crypto'
import { describe, expect, it, vi } from 'vitest'
import type { MessageRow, RunRow, SessionRow } from '../../src/ports/store.ts'
import { ChatRig, type RigOptions } from '../support/chat-rig.ts'
import { deferred, turns } from '../support/turns.ts'

/** A process on a store that holds a session of so many answered messages. */
async function stored(answers: number, options: RigOptions = {}) {
  const rig = new ChatRig(options)
  const id = randomUUID()
  const session: SessionRow = { id, app: 'default', status: 'idle', createdAt: 1, updatedAt: 1 }
  const runs = Array.from({ length: answers }, (_, nth): RunRow => {
    return { id: `r${nth}`, sessionId: id, status: 'finished', position: nth + 1, queuedAt: nth, fence: 1 }
  })
  const messages = runs.flatMap(({ id: runId }, nth): MessageRow[] => {
    const base = { sessionId: id, runId, createdAt: nth }
    return [
      { ...base, id: `q${nth}`, index: 0, role: 'user', content: `q${nth}` },
      { ...base, id: `a${nth}`, index: 1, role: 'assistant', content: `a${nth}` },
    ]
  })
  await rig.store.commit({ sessionId: id, session, runs, messages }, { giveUpAfterMs: 'never' })
  return { rig, id, histories: vi.spyOn(rig.store, 'history') }
}

describe('a session that somebody only looks at', () => {
  it('is read as far as a snapshot goes, and not kept in memory', async () => {
    const { rig, id, histories } = await stored(1)
    const client = await rig.ready(id)
    expect(client.last('session.snapshot')).toMatchObject({ messages: { length: 2 }, hasMore: false })
    expect(histories.mock.calls.map(([, { maxMessages }]) => maxMessages)).toEqual([100])
    client.cut()
    rig.store.goAway()
    const late = await rig.connect(id)
    expect(await late.closed()).toMatchObject({ reason: 'store_unavailable' })
  })

  it('is read whole once somebody speaks: the model is given more than the snapshot had', async () => {
    const { rig, id } = await stored(60)
    const client = await rig.ready(id)
    expect(client.last('session.snapshot')).toMatchObject({ messages: { length: 100 }, hasMore: true })
    await client.say('more')
    expect((await rig.model.request(0)).request.messages).toHaveLength(121)
  })

  it('is kept while a second one looks at it, too', async () => {
    const { rig, id, histories } = await stored(1)
    await rig.ready(id)
    await rig.ready(id)
    await rig.ready(id)
    expect(histories).toHaveBeenCalledTimes(2)
  })
})

describe('a page that is read while the session goes on', () => {
  /** A client whose page comes from the store when `release` is called, as it was when it was asked for. */
  async function slow() {
    const { rig, id, histories } = await stored(1)
    const page = await rig.store.history(id, { maxMessages: 100, maxBytes: 1_000_000 })
    const { promise, resolve } = deferred<typeof page>()
    histories.mockReturnValueOnce(promise)
    const looking = await rig.connect(id)
    await turns()
    return { rig, id, looking, release: () => resolve(page) }
  }

  it('I3: is not shown: the snapshot has what was said meanwhile, and the log goes on behind it', async () => {
    const { rig, id, looking, release } = await slow()
    const other = await rig.ready(id)
    await other.say('meanwhile')
    ;(await rig.model.request(0)).say('yes').stop()
    await other.end()
    await turns()
    release()
    const { messages } = await looking.control('session.snapshot')
    expect(messages.map(({ content }) => content)).toEqual(['q0', 'a0', 'text of meanwhile', 'yes'])
    await other.say('again')
    ;(await rig.model.request(1)).say('still').stop()
    await looking.end()
    expect(looking.text).toBe('still')
    expect(looking.audit.faults).toEqual([])
  })

  it('I3: is not shown while a run is on: the snapshot has the part that was said', async () => {
    const { rig, id, looking, release } = await slow()
    const other = await rig.ready(id)
    await other.say('meanwhile')
    const stream = (await rig.model.request(0)).say('half ')
    await turns()
    release()
    const { messages } = await looking.control('session.snapshot')
    expect(messages.map(({ content }) => content)).toEqual(['q0', 'a0', 'text of meanwhile', 'half '])
    stream.say('whole').stop()
    await looking.end()
    expect(looking.text).toBe('whole')
    expect(looking.audit.faults).toEqual([])
  })

  it('I3, I6: is not shown while something that it may have already is being stored: nothing is told twice', async () => {
    const { rig, id, histories } = await stored(1)
    const [read, stores] = [deferred(), deferred()]
    const [history, commit] = [rig.store.history.bind(rig.store), rig.store.commit.bind(rig.store)]
    histories.mockImplementationOnce(async (...asked) => {
      await read.promise
      return history(...asked)
    })
    const looking = await rig.connect(id)
    const other = await rig.ready(id)
    vi.spyOn(rig.store, 'commit').mockImplementationOnce(async (...write) => {
      await commit(...write)
      await stores.promise
    })
    const said = other.say('meanwhile')
    await turns()
    read.resolve()
    await turns()
    stores.resolve()
    await said
    const { messages } = await looking.control('session.snapshot')
    const inLog = looking.events.flatMap((event) => (event.type === 'RUN_STARTED' ? (event.input?.messages ?? []) : []))
    const shown = [...messages, ...inLog].map(({ content }) => content)
    expect(shown).toEqual(['q0', 'a0', 'text of meanwhile'])
  })

  it('P-25: has its first frame before it is told of a drain', async () => {
    const { rig, looking, release } = await slow()
    void rig.chat.drain(2000)
    release()
    await looking.control('session.snapshot')
    expect(looking.audit.faults).toEqual([])
    expect(looking.last('server.draining')).toBeUndefined()
    expect(await looking.closed()).toMatchObject({ code: 1012 })
  })
})

describe('a history that is read while another process goes on with the session', () => {
  it('I5, P-62: is read again: what is shown and what the model is given have what was said there', async () => {
    const { rig, id, histories } = await stored(1)
    const first = await rig.ready(id)
    const old = await rig.store.history(id, { maxMessages: 100, maxBytes: 1_000_000 })
    const { promise, resolve } = deferred<typeof old>()
    histories.mockReturnValueOnce(promise)
    const second = await rig.connect(id)
    await turns()
    const elsewhere = rig.fork()
    const other = await elsewhere.ready(id)
    await other.say('elsewhere')
    ;(await elsewhere.model.request(0)).say('yes').stop()
    await other.end()
    await turns()
    resolve(old)
    const said = ['q0', 'a0', 'text of elsewhere', 'yes']
    const { messages } = await second.control('session.snapshot')
    expect(messages.map(({ content }) => content)).toEqual(said)
    await turns()
    expect(first.last('session.snapshot')?.messages.map(({ content }) => content)).toEqual(said)
    await first.say('here')
    const { request } = await rig.model.request(0)
    expect(request.messages.map(({ content }) => content)).toEqual([...said, 'text of here'])
  })
})
