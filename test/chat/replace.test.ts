import { randomUUID } from 'node:crypto'
import { describe, expect, it, vi } from 'vitest'
import { ParleyError } from '../../src/protocol/errors.ts'
import type { Ack, ErrorFrame } from '../../src/protocol/frames.ts'
import { ChatRig, type RigOptions, stopClock } from '../support/chat-rig.ts'
import type { FakeSocket } from '../support/fake-socket.ts'
import { turns } from '../support/turns.ts'

/** A session whose first `count` messages were answered: m1 -> a1, m2 -> a2 … */
async function conversation(count: number, options: RigOptions = {}) {
  const rig = new ChatRig(options)
  const id = randomUUID()
  const client = await rig.ready(id)
  const runs: string[] = []
  for (let nth = 1; nth <= count; nth++) {
    runs.push(runOf(await client.say(`m${nth}`, `m${nth}`)))
    ;(await rig.model.request(nth - 1)).say(`a${nth}`).stop()
    await client.end(nth - 1)
  }
  return { rig, id, client, runs }
}

function runOf(frame: Ack | ErrorFrame): string {
  if (frame.type !== 'ack' || frame.runId === undefined) throw new Error(JSON.stringify(frame))
  return frame.runId
}

function edit(client: FakeSocket, replaces: string, name = 'e1', extra: object = {}) {
  return client.ask({ type: 'message.send', clientMessageId: name, content: name, replaces, ...extra })
}

/** What a new connection, this process's history and the store say: the same. */
async function expectConversation(rig: ChatRig, id: string, texts: readonly string[]): Promise<void> {
  const late = await rig.ready(id)
  expect(late.last('session.snapshot')?.messages.map(({ content }) => content)).toEqual(texts)
  expect((await rig.stored(id)).map(({ content }) => content)).toEqual(texts)
  const elsewhere = await rig.fork().ready(id)
  expect(elsewhere.last('session.snapshot')?.messages.map(({ content }) => content)).toEqual(texts)
}

describe('run.retry (P-43, P-57)', () => {
  it('answers the same message again in the place of the last run', async () => {
    const { rig, id, client, runs } = await conversation(2)
    const ack = await client.ask({ type: 'run.retry', runId: runs[1] ?? '' })
    expect(ack).toMatchObject({ type: 'ack' })
    const stream = await rig.model.request(2)
    expect(stream.request.messages.map(({ content }) => content)).toEqual(['m1', 'a1', 'm2'])
    stream.say('better').stop()
    expect(await client.end(2)).toMatchObject({ runId: runOf(ack), outcome: { type: 'success' } })
    await expectConversation(rig, id, ['m1', 'a1', 'm2', 'better'])
    expect(rig.runRows(id).at(-1)).toMatchObject({ replaces: runs[1], position: 3, status: 'finished' })
  })

  it('of an older run drops the later ones', async () => {
    const { rig, id, client, runs } = await conversation(3)
    await client.ask({ type: 'run.retry', runId: runs[0] ?? '' })
    const stream = await rig.model.request(3)
    expect(stream.request.messages.map(({ content }) => content)).toEqual(['m1'])
    stream.say('again').stop()
    await client.end(3)
    await expectConversation(rig, id, ['m1', 'again'])
  })

  it('tells clients what to drop, behind RUN_STARTED', async () => {
    const { rig, client, runs } = await conversation(2)
    const from = client.frames.length
    await client.ask({ type: 'run.retry', runId: runs[0] ?? '' })
    ;(await rig.model.request(2)).say('again').stop()
    await client.end(2)
    const events = client.frames.slice(from).flatMap((frame) => ('chunk' in frame ? [frame.chunk] : []))
    expect(events.map(({ type }) => type)).toEqual([
      'RUN_STARTED',
      'CUSTOM',
      'TEXT_MESSAGE_START',
      'TEXT_MESSAGE_CONTENT',
      'TEXT_MESSAGE_END',
      'RUN_FINISHED',
    ])
    expect(events[0]).toMatchObject({ input: { messages: [{ role: 'user', content: 'm1' }] } })
  })

  it('works after an error, a cancel and a retry', async () => {
    const { rig, id, client } = await conversation(0)
    let runId = runOf(await client.say('m1', 'm1'))
    ;(await rig.model.request(0)).fail(new Error('no'))
    await client.end(0)
    runId = runOf(await client.ask({ type: 'run.retry', runId }))
    ;(await rig.model.request(1)).say('half')
    await turns()
    await client.ask({ type: 'run.cancel' })
    await client.end(1)
    await client.ask({ type: 'run.retry', runId })
    ;(await rig.model.request(2)).say('whole').stop()
    await client.end(2)
    await expectConversation(rig, id, ['m1', 'whole'])
  })

  it('is refused while a run is on, while sends wait, and for a run that is unknown, gone or another session’s', async () => {
    const { rig, client, runs } = await conversation(2)
    expect(await client.ask({ type: 'run.retry', runId: 'nobody' })).toMatchObject({ code: 'not_found' })
    await edit(client, 'm2')
    expect(await client.ask({ type: 'run.retry', runId: runs[0] ?? '' })).toMatchObject({ code: 'run_active' })
    ;(await rig.model.request(2)).stop()
    await client.end(2)
    expect(await client.ask({ type: 'run.retry', runId: runs[1] ?? '' })).toMatchObject({ code: 'not_found' })
    const other = await rig.ready()
    expect(await other.ask({ type: 'run.retry', runId: runs[0] ?? '' })).toMatchObject({ code: 'not_found' })
  })

  it('I2: starts nothing when the store refuses it, and leaves the conversation as it was', async () => {
    const { rig, id, client, runs } = await conversation(1)
    rig.store.refuseNext('store_unavailable')
    expect(await client.ask({ type: 'run.retry', runId: runs[0] ?? '' })).toMatchObject({ code: 'store_unavailable' })
    await turns()
    expect(rig.model.streams).toHaveLength(1)
    await expectConversation(rig, id, ['m1', 'a1'])
    expect(await client.ask({ type: 'run.retry', runId: runs[0] ?? '' })).toMatchObject({ type: 'ack' })
  })
})

describe('P-54 P-57: while a call waits', () => {
  /** m1 -> a1, m2 -> a call for the browser. */
  async function waiting() {
    const locate = { name: 'locate', description: 'Where the person is', parameters: { type: 'object' } }
    const begun = await conversation(1, { app: { tools: [{ kind: 'client', spec: locate }] } })
    const runId = runOf(await begun.client.say('m2', 'm2'))
    ;(await begun.rig.model.request(1)).say('I look').call('t1', 'locate', {}).stop('tools')
    await begun.client.end(1)
    return { ...begun, runId }
  }

  it.each([
    ['an edit', 'm2', ['m1', 'a1', 'e1', 'new']],
    ['an edit of an older message', 'm1', ['e1', 'new']],
  ])('%s takes the run that waits out of history, for good', async (_, replaces, texts) => {
    const { rig, id, client, runId } = await waiting()
    expect(await edit(client, replaces)).toMatchObject({ state: 'started' })
    ;(await rig.model.request(2)).say('new').stop()
    await client.end(2)
    await expectConversation(rig, id, texts)
    expect(await rig.store.findRun(id, runId)).toMatchObject({ superseded: true })
    expect(await rig.store.findRun(id, runId)).not.toHaveProperty('pending')
  })

  it('a retry takes it out of history, for good', async () => {
    const { rig, id, client, runId } = await waiting()
    await client.ask({ type: 'run.retry', runId })
    ;(await rig.model.request(2)).say('better').stop()
    await client.end(2)
    await expectConversation(rig, id, ['m1', 'a1', 'm2', 'better'])
  })

  it('an edit whose turn comes then takes it out, too', async () => {
    const { rig, id, client } = await waiting()
    await client.say('m3', 'm3')
    await edit(client, 'm2')
    ;(await rig.model.request(2)).call('t2', 'locate', {}).stop('tools')
    ;(await rig.model.request(3)).say('new').stop()
    await client.end(3)
    await expectConversation(rig, id, ['m1', 'a1', 'e1', 'new'])
  })

  it('a plain message declines the call and keeps the run in history', async () => {
    const { rig, id, client, runId } = await waiting()
    await client.say('m3', 'm3')
    ;(await rig.model.request(2)).say('fine').stop()
    await client.end(2)
    expect(await rig.store.findRun(id, runId)).not.toHaveProperty('superseded')
    expect((await rig.stored(id)).map(({ role }) => role).slice(2)).toEqual([
      'user',
      'assistant',
      'tool',
      'user',
      'assistant',
    ])
  })
})

describe('I2: a retry whose answer from the store got lost', () => {
  it('runs once, by itself, when it was stored', async () => {
    stopClock()
    const { rig, id, client, runs } = await conversation(1)
    const commit = rig.store.commit.bind(rig.store)
    vi.spyOn(rig.store, 'commit').mockImplementationOnce(async (write, options) => {
      await commit(write, options)
      throw new ParleyError('store_unavailable')
    })
    expect(await client.ask({ type: 'run.retry', runId: runs[0] ?? '' })).toMatchObject({ code: 'store_unavailable' })
    expect(await client.ask({ type: 'run.retry', runId: runs[0] ?? '' })).toMatchObject({ code: 'run_active' })
    await rig.pass(2000)
    ;(await rig.model.request(1)).say('again').stop()
    await client.end(1)
    expect(rig.model.streams).toHaveLength(2)
    await expectConversation(rig, id, ['m1', 'again'])
  })
})

describe('an edit', () => {
  it('replaces the message, its answer and all that followed', async () => {
    const { rig, id, client, runs } = await conversation(3)
    const other = await rig.ready(id)
    expect(await edit(client, 'm2')).toMatchObject({ clientMessageId: 'e1', state: 'started' })
    const stream = await rig.model.request(3)
    expect(stream.request.messages.map(({ content }) => content)).toEqual(['m1', 'a1', 'e1'])
    stream.say('new').stop()
    await client.end(3)
    expect((await other.event('CUSTOM')).chunk).toMatchObject({ name: 'parley.rewind', value: { from: 'm2' } })
    await expectConversation(rig, id, ['m1', 'a1', 'e1', 'new'])
    expect(rig.runRows(id).at(-1)).toMatchObject({ replaces: runs[1], position: 4 })
  })

  it('goes with the tail to a client that was away', async () => {
    const { rig, id, client } = await conversation(2)
    const away = await rig.ready(id)
    const { epoch, seq } = await away.control('session.ready')
    away.cut()
    await edit(client, 'm1')
    ;(await rig.model.request(2)).say('new').stop()
    await client.end(2)
    const back = await rig.ready(id, { cursor: `${epoch}-${seq}` })
    await back.end()
    expect(back.types).toContain('CUSTOM')
  })

  it('works on a message that is older than the part of history that memory holds', async () => {
    const { rig, id, client } = await conversation(3, { settings: { windowMessages: 2 } })
    await edit(client, 'm1')
    const stream = await rig.model.request(3)
    expect(stream.request.messages.map(({ content }) => content)).toEqual(['e1'])
    stream.say('new').stop()
    await client.end(3)
    await expectConversation(rig, id, ['e1', 'new'])
  })

  it.each([
    ['all of', 100],
    ['one of', 3],
    ['none of', 2],
  ])(
    'P-72: tells clients the first message that leaves, where memory holds %s the replaced run',
    async (_, windowMessages) => {
      const { rig, id } = await conversation(3)
      const next = rig.fork({ settings: { windowMessages } })
      const client = await next.ready(id)
      await edit(client, 'm2')
      expect((await client.event('CUSTOM')).chunk).toMatchObject({ name: 'parley.rewind', value: { from: 'm2' } })
      ;(await next.model.request(0)).say('new').stop()
      await client.end()
      expect((await next.stored(id)).map(({ content }) => content)).toEqual(['m1', 'a1', 'e1', 'new'])
    },
  )

  it('P-72: tells it, too, when its turn comes', async () => {
    const { rig, client } = await conversation(3, { settings: { windowMessages: 2 } })
    await client.say('m4', 'm4')
    await edit(client, 'm1')
    ;(await rig.model.request(3)).stop()
    ;(await rig.model.request(4)).stop()
    expect((await client.event('CUSTOM')).chunk).toMatchObject({ value: { from: 'm1' } })
    await client.end(4)
  })

  it('I2: is refused, and nothing leaves, when the store does not say what the first message is', async () => {
    const { rig, id, client } = await conversation(3, { settings: { windowMessages: 2 } })
    vi.spyOn(rig.store, 'runMessages').mockRejectedValueOnce(new ParleyError('store_unavailable'))
    expect(await edit(client, 'm1')).toMatchObject({ code: 'store_unavailable' })
    expect(rig.held.runs).toBe(0)
    expect(await rig.stored(id)).toHaveLength(6)
    expect(await edit(client, 'm1')).toMatchObject({ state: 'started' })
  })

  it.each(['m9', 'nothing'])('of %s, which is no message of the session, is refused', async (name) => {
    const { rig, client } = await conversation(1)
    expect(await edit(client, name)).toMatchObject({ type: 'error', code: 'not_found', clientMessageId: 'e1' })
    expect(rig.store.commits.flatMap(({ messages = [] }) => messages.map(({ id }) => id))).not.toContain('e1')
  })

  it('of an answer is refused', async () => {
    const { rig, id, client } = await conversation(1)
    const answer = (await rig.stored(id)).at(-1)?.id ?? ''
    expect(await edit(client, answer)).toMatchObject({ code: 'not_found' })
  })

  it.each([2, 100])(
    'of a message that was edited away is refused, and nothing else leaves (window of %i)',
    async (windowMessages) => {
      const { rig, id, client } = await conversation(2, { settings: { windowMessages } })
      await edit(client, 'm2', 'e1')
      ;(await rig.model.request(2)).say('new').stop()
      await client.end(2)
      expect(await edit(client, 'm2', 'e2')).toMatchObject({ code: 'not_found' })
      await client.say('m3', 'm3')
      const { messages } = (await rig.model.request(3)).request
      expect(messages.map(({ content }) => content).slice(-3)).toEqual(['e1', 'new', 'm3'])
      expect((await rig.stored(id)).map(({ content }) => content)).toEqual(['m1', 'a1', 'e1', 'new', 'm3'])
    },
  )

  it.each([2, 100])(
    'of a message that waits in the queue, or left it, is refused (window of %i)',
    async (windowMessages) => {
      const { rig, id, client } = await conversation(2, { settings: { windowMessages } })
      await client.say('m3', 'm3')
      const queued = runOf(await client.say('m4', 'm4'))
      expect(await edit(client, 'm4')).toMatchObject({ code: 'not_found' })
      await client.ask({ type: 'run.cancel', runId: queued })
      expect(await edit(client, 'm4')).toMatchObject({ code: 'not_found' })
      ;(await rig.model.request(2)).say('a3').stop()
      await client.end(2)
      expect((await rig.stored(id)).map(({ content }) => content)).toEqual(['m1', 'a1', 'm2', 'a2', 'm3', 'a3'])
    },
  )

  describe('while a run is on', () => {
    async function active() {
      const begun = await conversation(1)
      await begun.client.say('m2', 'm2')
      const stream = await begun.rig.model.request(1)
      stream.say('half')
      await turns()
      return { ...begun, stream }
    }

    it('waits its turn by default and replaces then', async () => {
      const { rig, id, client, stream } = await active()
      expect(await edit(client, 'm1')).toMatchObject({ state: 'queued' })
      stream.say(' whole').stop()
      const next = await rig.model.request(2)
      expect(next.request.messages.map(({ content }) => content)).toEqual(['e1'])
      next.say('new').stop()
      await client.end(2)
      await expectConversation(rig, id, ['e1', 'new'])
    })

    it('is refused when it asks for that', async () => {
      const { client } = await active()
      expect(await edit(client, 'm1', 'e1', { policy: 'reject' })).toMatchObject({ code: 'run_active' })
    })

    it('stops the run when it asks for that, also when it replaces what runs', async () => {
      const { rig, id, client } = await active()
      await edit(client, 'm2', 'e1', { policy: 'interrupt' })
      const next = await rig.model.request(2)
      expect(next.request.messages.map(({ content }) => content)).toEqual(['m1', 'a1', 'e1'])
      next.say('new').stop()
      await client.end(2)
      await expectConversation(rig, id, ['m1', 'a1', 'e1', 'new'])
    })

    it('runs as a plain message when what it replaces is gone by then', async () => {
      const { rig, id, client, stream } = await active()
      await edit(client, 'm1', 'e1')
      await edit(client, 'm2', 'e2')
      stream.stop()
      ;(await rig.model.request(2)).say('one').stop()
      ;(await rig.model.request(3)).say('two').stop()
      await client.end(3)
      await expectConversation(rig, id, ['e1', 'one', 'e2', 'two'])
    })

    it('takes nothing else out when what it replaces is gone by then, in a session longer than memory holds', async () => {
      const { rig, id, client } = await conversation(3, { settings: { windowMessages: 4 } })
      await client.say('m4', 'm4')
      await edit(client, 'm3', 'e1')
      await edit(client, 'm3', 'e2')
      ;(await rig.model.request(3)).stop()
      ;(await rig.model.request(4)).say('one').stop()
      const last = await rig.model.request(5)
      expect(last.request.messages.map(({ content }) => content)).toEqual(['e1', 'one', 'e2'])
      last.say('two').stop()
      await client.end(5)
      expect(client.types.filter((type) => type === 'CUSTOM')).toHaveLength(1)
      const texts = (await rig.stored(id)).map(({ content }) => content)
      expect(texts).toEqual(['m1', 'a1', 'm2', 'a2', 'e1', 'one', 'e2', 'two'])
    })

    it('replaces in the next process what it was queued to replace', async () => {
      const { rig, id, client } = await active()
      await edit(client, 'm2', 'e1')
      await rig.chat.drain(0)
      const next = rig.fork()
      const again = await next.ready(id)
      ;(await next.model.request(0)).say('new').stop()
      await again.end()
      await expectConversation(next, id, ['m1', 'a1', 'e1', 'new'])
    })
  })
})
