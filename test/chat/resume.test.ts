import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { Envelope } from '../../src/protocol/frames.ts'
import type { Message } from '../../src/protocol/messages.ts'
import { ChatRig, type RigOptions, SlowTool } from '../support/chat-rig.ts'
import type { FakeSocket } from '../support/fake-socket.ts'
import type { PuppetStream } from '../support/puppet-provider.ts'
import { microtasks, turns } from '../support/turns.ts'

async function begin(options: RigOptions = {}) {
  const rig = new ChatRig(options)
  const id = randomUUID()
  const client = await rig.ready(id)
  await client.say('m1')
  return { rig, id, client, stream: await rig.model.request(0) }
}

const numbered = (socket: FakeSocket) =>
  socket.frames.filter((frame): frame is Envelope => 'chunk' in frame && frame.id !== undefined)
const synthetic = (socket: FakeSocket) =>
  socket.frames.filter((frame): frame is Envelope => 'chunk' in frame && frame.id === undefined)

describe('I6: a client that comes back with its cursor', () => {
  it('P-27: gets every event after it, from any event, and then the status', async () => {
    const { rig, id, client, stream } = await begin()
    stream.think('hm')
    await turns()
    stream.say('one ')
    await turns()
    stream.say('two').call('t1', 'echo', { a: 1 }).stop('tools')
    ;(await rig.model.request(1)).say('three').stop()
    await client.end()
    const all = numbered(client)
    for (const [nth, { id: cursor }] of all.entries()) {
      const back = await rig.ready(id, { cursor: cursor ?? '' })
      await turns()
      expect(back.last('session.ready')).toMatchObject({ resumed: 'tail', seq: Number(cursor?.split('-')[1]) })
      const missed = all.slice(nth + 1)
      expect(outline(numbered(back))).toEqual(outline(missed))
      expect(back.ids.at(-1)).toBe(missed.at(-1)?.id)
      expect(back.frames.at(-1)).toMatchObject({ type: 'session.status', status: 'idle' })
      expect(back.last('session.snapshot')).toBeUndefined()
      back.cut()
    }
  })

  it('P-27: at the head gets nothing but the status; then it is live', async () => {
    const { rig, id, client, stream } = await begin()
    stream.say('one ')
    await turns()
    const back = await rig.ready(id, { cursor: client.ids.at(-1) ?? '' })
    expect(back.events).toEqual([])
    stream.say('two').stop()
    await back.end()
    expect(back.text).toBe('two')
    expect(back.ids.at(-1)).toBe(client.ids.at(-1))
  })

  it('misses nothing of the turn in which it came', async () => {
    const { rig, id, client, stream } = await begin()
    stream.say('one ')
    await turns()
    const cursor = client.ids.at(-1) ?? ''
    const [tail, snapshot] = [rig.handshake(id, { cursor }), rig.handshake(id)]
    stream.say('two ')
    const late = [rig.open(await tail), rig.open(await snapshot)]
    stream.say('three').stop()
    await Promise.all(late.map((socket) => socket.end()))
    const before = late[1]?.last('session.snapshot')?.messages.at(-1)?.content ?? ''
    expect(late[0]?.text).toBe('two three')
    expect(before + late[1]?.text).toBe('one two three')
  })

  it.each([
    ['of another life', () => 'ffff-1'],
    ['beyond the head', (cursor: string) => `${cursor}0000`],
    ['trimmed', (cursor: string) => `${cursor.split('-')[0]}-1`],
  ])('P-28: that is %s gets a snapshot', async (_what, change) => {
    const { rig, id, client, stream } = await begin({ log: { runEntries: 8 } })
    for (let nth = 0; nth < 20; nth++) {
      stream.emit({ type: 'tool.start', id: `t${nth}`, name: 'echo' }, { type: 'tool.end', id: `t${nth}` })
      await turns(1)
    }
    stream.say('text')
    await turns()
    const back = await rig.ready(id, { cursor: change(client.ids.at(-1) ?? '') })
    expect(back.last('session.ready')?.resumed).toBe('snapshot')
    expect(back.last('session.snapshot')?.messages.at(-1)).toMatchObject({ content: 'text', toolCalls: { length: 20 } })
  })

  it('P-28: that stands inside what was merged gets a snapshot, never a part of it', async () => {
    const { rig, id, client, stream } = await begin({ log: { runEntries: 10 } })
    for (let nth = 0; nth < 40; nth++) {
      stream.say(`${nth} `)
      await turns(1)
    }
    await turns()
    const answers = []
    for (const cursor of client.ids.slice(0, -1)) {
      const back = await rig.ready(id, { cursor })
      await turns()
      const ready = back.last('session.ready')?.resumed
      answers.push(ready)
      const seen =
        ready === 'tail' ? textUpTo(client, cursor) : (back.last('session.snapshot')?.messages.at(-1)?.content ?? '')
      expect(seen + back.text).toBe(client.text)
      back.cut()
    }
    expect(new Set(answers)).toEqual(new Set(['snapshot', 'tail']))
  })
})

describe('I6: a client that joins in the middle', () => {
  const [start, args] = [
    { type: 'tool.start', id: 't1', name: 'echo' } as const,
    { type: 'tool.args', id: 't1' } as const,
  ]
  const PLACES: readonly (readonly [string, (stream: PuppetStream) => void, readonly string[]])[] = [
    ['before the first token', () => {}, []],
    ['reasoning', (stream) => stream.think('hm'), ['REASONING_START', 'REASONING_MESSAGE_START']],
    ['text', (stream) => stream.think('hm').say('some '), ['TEXT_MESSAGE_START']],
    [
      'tool arguments behind text',
      (stream) => stream.say('Let me').emit(start, { ...args, delta: '{"a":' }),
      ['TEXT_MESSAGE_START', 'TOOL_CALL_START'],
    ],
    [
      'one of two calls',
      (stream) => stream.call('t0', 'echo', {}).emit(start, { ...args, delta: '{"a":' }),
      ['TOOL_CALL_START'],
    ],
    ['long text', (stream) => stream.say('x'.repeat(150_000)), ['TEXT_MESSAGE_START', 'TEXT_MESSAGE_CONTENT']],
    [
      'long arguments',
      (stream) => stream.emit(start, { ...args, delta: `{"a":"${'x'.repeat(50_000)}` }),
      ['TOOL_CALL_START', 'TOOL_CALL_ARGS'],
    ],
  ]

  it.each(PLACES)(
    'P-29: %s: gets the snapshot, the opening of what is open, then what follows, once',
    async (_where, speak, open) => {
      const { rig, id, client, stream } = await begin()
      speak(stream)
      await turns()
      const late = await rig.ready(id)
      const opening = synthetic(late).map(({ chunk }) => chunk.type)
      expect([opening[0], ...new Set(opening.slice(1))]).toEqual(['RUN_STARTED', ...open])
      const before = late.last('session.snapshot')?.messages ?? []
      if (open.includes('TOOL_CALL_START')) stream.emit({ ...args, delta: '1}' }, { type: 'tool.end', id: 't1' })
      else stream.say('more')
      stream.stop('length')
      await Promise.all([late.end(), client.end()])
      expect(joined(before, late)).toEqual(joined([], client))
      expect(numbered(late)[0]?.id?.split('-')[1]).toBe(String((late.last('session.ready')?.seq ?? 0) + 1))
    },
  )

  it('while a tool runs: has the call and gets the result', async () => {
    const tool = new SlowTool()
    const { rig, id, stream } = await begin({ tools: [tool] })
    stream.call('t1', 'slow', {}).stop('tools')
    const call = await tool.call()
    await turns()
    const late = await rig.ready(id)
    expect(late.last('session.snapshot')?.messages.at(-1)).toMatchObject({ toolCalls: [{ id: 't1' }] })
    expect(late.types).toEqual(['RUN_STARTED'])
    call.resolve('42')
    expect((await late.event('TOOL_CALL_RESULT')).chunk).toMatchObject({ toolCallId: 't1', content: '42' })
    ;(await rig.model.request(1)).stop()
    await late.end()
  })

  it('P-25: may take the position of its snapshot as its cursor, in the middle of a turn, too', async () => {
    for (let delay = 0; delay < 12; delay++) {
      const { rig, id, client, stream } = await begin()
      stream.say('one ')
      await turns(1)
      const verdict = await rig.handshake(id)
      stream.say('two ')
      await microtasks(delay)
      const late = rig.open(verdict)
      const { epoch, seq } = await late.control('session.ready')
      const before = late.last('session.snapshot')?.messages.at(-1)?.content ?? ''
      late.cut()
      stream.say('three').stop()
      await client.end()
      const back = await rig.ready(id, { cursor: `${epoch}-${seq}` })
      await turns()
      expect([delay, before + back.text]).toEqual([delay, 'one two three'])
    }
  })

  it('at any point between a send and its first events sees the run start once, and all of it', async () => {
    for (let delay = 0; delay < 40; delay++) {
      const rig = new ChatRig()
      const id = randomUUID()
      const client = await rig.ready(id)
      const verdict = await rig.handshake(id)
      void client.say('m1')
      await microtasks(delay)
      const late = rig.open(verdict)
      ;(await rig.model.request(0)).say('fine').stop()
      await Promise.all([client.end(), late.end()])
      expect(late.types.filter((type) => type === 'RUN_STARTED')).toHaveLength(1)
      const before = late.last('session.snapshot')?.messages.find(({ role }) => role === 'assistant')?.content ?? ''
      expect([delay, before + late.text]).toEqual([delay, 'fine'])
    }
  })

  it('at any point between a send, its cancel and the end sees one start and one end', async () => {
    for (let delay = 0; delay < 40; delay++) {
      const rig = new ChatRig()
      const id = randomUUID()
      const client = await rig.ready(id)
      const verdict = await rig.handshake(id)
      void client.say('m1')
      void client.ask({ type: 'run.cancel' })
      await microtasks(delay)
      const late = rig.open(verdict)
      await client.end()
      await turns()
      expect([
        delay,
        late.terminals.length <= 1,
        late.last('session.status')?.status ?? late.last('session.ready')?.status,
      ]).toEqual([delay, true, 'interrupted'])
    }
  })

  it('at any point around the end of a run sees the whole text once', async () => {
    for (let delay = 0; delay < 40; delay++) {
      const { rig, id, client, stream } = await begin()
      stream.say('one ')
      await turns(1)
      const verdict = await rig.handshake(id)
      stream.say('two').stop()
      await microtasks(delay)
      const late = rig.open(verdict)
      await client.end()
      await turns()
      const before = late.last('session.snapshot')?.messages.at(-1)
      const text = before?.role === 'assistant' ? (before.content ?? '') : ''
      expect([delay, text + late.text]).toEqual([delay, 'one two'])
      expect(late.last('session.status')?.status ?? late.last('session.ready')?.status).toBe('idle')
    }
  })
})

/** What two connections agree in (P-30): the ids of events that are no deltas, and the joined deltas of every item. */
function outline(envelopes: readonly Envelope[]) {
  const deltas: Record<string, string> = {}
  for (const { chunk } of envelopes) {
    if (!('delta' in chunk)) continue
    const item = 'toolCallId' in chunk ? chunk.toolCallId : chunk.messageId
    deltas[item] = (deltas[item] ?? '') + chunk.delta
  }
  return { deltas, ids: envelopes.flatMap(({ id, chunk }) => ('delta' in chunk ? [] : [id])) }
}

/** The text of what `socket` had heard when it stood at `cursor`. */
function textUpTo(socket: FakeSocket, cursor: string): string {
  let text = ''
  for (const { id, chunk } of numbered(socket)) {
    if (chunk.type === 'TEXT_MESSAGE_CONTENT') text += chunk.delta
    if (id === cursor) return text
  }
  return text
}

/** Every item's content, by its id: what the snapshot had and what came after it. */
function joined(messages: readonly Message[], socket: FakeSocket): Record<string, string> {
  const items: Record<string, string> = {}
  const add = (id: string, text: string) => {
    items[id] = (items[id] ?? '') + text
  }
  for (const message of messages) {
    if (message.role === 'user' || message.role === 'tool') continue
    if (message.content !== undefined) add(message.id, message.content)
    if (message.role === 'assistant') for (const call of message.toolCalls ?? []) add(call.id, call.function.arguments)
  }
  for (const event of socket.events) {
    if (event.type === 'TOOL_CALL_ARGS') add(event.toolCallId, event.delta)
    else if ('delta' in event) add(event.messageId, event.delta)
  }
  return items
}
