import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { ParleyError } from '../../src/protocol/errors.ts'
import { ChatRig, type RigOptions, stopClock, TEST_APP } from '../support/chat-rig.ts'
import type { FakeSocket } from '../support/fake-socket.ts'
import { turns } from '../support/turns.ts'

async function begin(options: RigOptions = {}) {
  const rig = new ChatRig(options)
  const id = randomUUID()
  const client = await rig.ready(id)
  await client.say('m1')
  return { rig, id, client, stream: await rig.model.request(0) }
}

/** Sends and gives the run's id. */
async function queue(client: FakeSocket, name: string, extra: object = {}): Promise<string> {
  const ack = await client.ask({ type: 'message.send', clientMessageId: name, content: `text of ${name}`, ...extra })
  if (ack.type !== 'ack' || ack.runId === undefined) throw new Error(JSON.stringify(ack))
  return ack.runId
}

/** Answers requests from the nth on until nothing asks any more; gives what the person had said last in each. */
async function answerAll(rig: ChatRig, from: number): Promise<string[]> {
  const asked: string[] = []
  for (let nth = from; ; nth++) {
    await turns()
    const stream = rig.model.streams[nth]
    if (stream === undefined) return asked
    asked.push(stream.request.messages.at(-1)?.content ?? '')
    stream.say(`answer ${nth}`).stop()
  }
}

const contents = (rig: ChatRig, id: string) => rig.stored(id).then((rows) => rows.map(({ content }) => content))

describe('a send while a run is on', () => {
  it('waits by default: acknowledged as queued, shown to all, run in order of sending', async () => {
    const { rig, id, client, stream } = await begin()
    const other = await rig.ready(id)
    const second = await queue(client, 'm2')
    const third = await queue(other, 'm3')
    expect(other.last('session.status')).toMatchObject({
      status: 'processing',
      queued: 2,
      queue: [
        { runId: second, clientMessageId: 'm2', content: 'text of m2' },
        { runId: third, clientMessageId: 'm3' },
      ],
    })
    const late = await rig.ready(id)
    expect(late.last('session.ready')?.queue).toMatchObject([{ runId: second }, { runId: third }])
    stream.say('answer 0').stop()
    expect(await answerAll(rig, 1)).toEqual(['text of m2', 'text of m3'])
    await client.end(2)
    expect(await contents(rig, id)).toEqual([
      'text of m1',
      'answer 0',
      'text of m2',
      'answer 1',
      'text of m3',
      'answer 2',
    ])
    expect(client.last('session.status')).toMatchObject({ status: 'idle', queued: 0, queue: [] })
  })

  it('is no part of the history until it starts', async () => {
    const { rig, id, client, stream } = await begin()
    await queue(client, 'm2')
    const late = await rig.ready(id)
    expect(late.last('session.snapshot')?.messages.map((message) => message.id)).toEqual(['m1'])
    stream.call('t1', 'echo', {}).stop('tools')
    const second = await rig.model.request(1)
    expect(second.request.messages.filter(({ role }) => role === 'user')).toHaveLength(1)
  })

  it('is refused when it asks for that', async () => {
    const { rig, client, stream } = await begin()
    const reject = { type: 'message.send', clientMessageId: 'm2', content: 'x', policy: 'reject' } as const
    expect(await client.ask(reject)).toMatchObject({ type: 'error', code: 'run_active', retryable: true })
    stream.stop()
    await client.end()
    expect(await client.ask(reject)).toMatchObject({ state: 'started' })
    expect(rig.runRows(client.last('session.ready')?.sessionId ?? '')).toHaveLength(2)
  })

  it('is refused when the queue is full, until one has left it', async () => {
    const { client, stream } = await begin({ settings: { queuedSends: 2 } })
    await queue(client, 'm2')
    const third = await queue(client, 'm3')
    expect(await client.say('m4')).toMatchObject({ type: 'error', code: 'queue_full' })
    expect(await client.say('m3')).toMatchObject({ duplicate: true, runId: third })
    await client.ask({ type: 'run.cancel', runId: third })
    expect(await client.say('m4')).toMatchObject({ state: 'queued' })
    stream.stop()
  })

  it('interrupts when it asks for that: stored first, then acknowledged, then the run is stopped; it goes before all that waits', async () => {
    const { rig, id, client, stream } = await begin()
    await queue(client, 'm2')
    stream.say('half')
    await turns()
    rig.store.hold()
    const acked = client.ask({ type: 'message.send', clientMessageId: 'm3', content: 'now', policy: 'interrupt' })
    await turns()
    expect(stream.signal.aborted).toBe(false)
    rig.store.release()
    expect(await acked).toMatchObject({ state: 'queued' })
    expect(client.terminals).toEqual([])
    expect(await answerAll(rig, 1)).toEqual(['now', 'text of m2'])
    expect(client.terminals.map((event) => ('outcome' in event ? event.outcome.type : event.code))).toEqual([
      'cancelled',
      'success',
      'success',
    ])
    expect(await contents(rig, id)).toEqual(['text of m1', 'half', 'now', 'answer 1', 'text of m2', 'answer 2'])
  })

  it('starts at once when it interrupts and nothing is on', async () => {
    const rig = new ChatRig()
    const client = await rig.ready()
    const send = { type: 'message.send', clientMessageId: 'm1', content: 'x', policy: 'interrupt' } as const
    expect(await client.ask(send)).toMatchObject({ state: 'started' })
  })

  it('keeps a frame with a full queue of the longest messages within 256 KiB', async () => {
    const { client, stream } = await begin()
    for (let nth = 0; nth < 10; nth++)
      expect(await client.say(`q${nth}`, '"\n'.repeat(16 * 1024 - 100))).toMatchObject({ state: 'queued' })
    expect(client.last('session.status')?.queue).toHaveLength(10)
    stream.stop()
    const started = await client.frame(
      (frame): frame is Extract<typeof frame, { chunk: unknown }> =>
        'chunk' in frame && frame.chunk.type === 'RUN_STARTED' && frame.chunk.input?.messages[0]?.id === 'q0',
    )
    expect(JSON.stringify(started.chunk).length).toBeGreaterThan(60_000)
  })
})

describe('the queue', () => {
  it.each([
    ['a cancel', (client: FakeSocket) => client.command({ type: 'run.cancel' })],
    ['an error', (_client: FakeSocket, rig: ChatRig) => rig.model.streams[0]?.fail(new Error('no'))],
  ])('goes on after %s of the active run', async (_what, end) => {
    const { rig, client } = await begin()
    await queue(client, 'm2')
    end(client, rig)
    await client.end()
    expect(client.last('session.status')?.status).toBe('processing')
    expect(await answerAll(rig, 1)).toEqual(['text of m2'])
  })

  it('P-56: lets one send go by its run, acknowledged once that is durable', async () => {
    const { rig, id, client, stream } = await begin()
    const second = await queue(client, 'm2')
    await queue(client, 'm3')
    rig.store.hold()
    const gone = client.ask({ type: 'run.cancel', runId: second })
    await turns()
    expect(client.controls('ack')).toHaveLength(3)
    rig.store.release()
    expect(await gone).toMatchObject({ state: 'cancelling', runId: second })
    expect(client.last('session.status')?.queue).toMatchObject([{ clientMessageId: 'm3' }])
    expect(stream.signal.aborted).toBe(false)
    expect(await client.ask({ type: 'run.cancel', runId: second })).toMatchObject({ state: 'noop' })
    stream.stop()
    expect(await answerAll(rig, 1)).toEqual(['text of m3'])
    expect(await contents(rig, id)).not.toContain('text of m2')
  })

  it('P-42, P-56: is emptied with the run when all is cancelled; the session is interrupted, in the store, too', async () => {
    const { rig, id, client, stream } = await begin()
    await queue(client, 'm2')
    await queue(client, 'm3')
    stream.say('half')
    expect(await client.ask({ type: 'run.cancel', all: true })).toMatchObject({ state: 'cancelling' })
    await client.end()
    await turns()
    expect(client.last('session.status')).toMatchObject({ status: 'interrupted', queued: 0 })
    expect(rig.model.streams).toHaveLength(1)
    expect(await rig.store.load(id)).toMatchObject({ session: { status: 'interrupted' }, openRuns: [] })
    const again = await rig.fork().ready(id)
    expect(again.last('session.ready')).toMatchObject({ status: 'interrupted', queue: [] })
  })

  it('P-80: leaves the status of the last run when its last send is taken out', async () => {
    let isFull = false
    const takeRun = async () => {
      if (isFull) throw new ParleyError('rate_limit_exceeded')
      return () => {}
    }
    const { rig, id, client, stream } = await begin({ takeRun })
    const second = await queue(client, 'm2')
    isFull = true
    stream.stop()
    await client.end()
    await turns()
    expect(await rig.store.load(id)).toMatchObject({ session: { status: 'processing' } })
    await client.ask({ type: 'run.cancel', runId: second })
    await turns()
    expect(client.last('session.status')?.status).toBe('idle')
    expect(await rig.store.load(id)).toMatchObject({ session: { status: 'idle' }, openRuns: [] })
  })

  it('goes on in the next process when the session is opened again', async () => {
    const { rig, id, client, stream } = await begin()
    await queue(client, 'm2')
    await queue(client, 'm3', { policy: 'interrupt' })
    await turns()
    expect(stream.signal.aborted).toBe(true)
    ;(await rig.model.request(1)).say('half of m3')
    await queue(client, 'm4')
    await rig.chat.drain(0)
    const next = rig.fork()
    const again = await next.ready(id)
    expect(again.last('session.ready')).toMatchObject({ status: 'processing' })
    expect(await answerAll(next, 0)).toEqual(['text of m2', 'text of m4'])
    expect(await contents(rig, id)).toEqual([
      'text of m1',
      'text of m3',
      'half of m3',
      'text of m2',
      'answer 0',
      'text of m4',
      'answer 1',
    ])
  })

  it('ends with an error, each send of it, when its App was deleted, and asks no model', async () => {
    const { rig, id, client, stream } = await begin()
    await queue(client, 'm2')
    await queue(client, 'm3')
    rig.app = undefined
    stream.stop()
    await client.end()
    await turns()
    const ends = client.events.filter(({ type }) => type === 'RUN_ERROR')
    expect(ends).toMatchObject([{ code: 'app_not_found' }, { code: 'app_not_found' }])
    expect(rig.model.streams).toHaveLength(1)
    expect(client.last('session.status')).toMatchObject({
      status: 'idle',
      queued: 0,
      lastRun: { code: 'app_not_found' },
    })
    expect((await contents(rig, id)).slice(-2)).toEqual(['text of m2', 'text of m3'])
    rig.app = TEST_APP
    expect(await client.say('m4')).toMatchObject({ state: 'started' })
  })

  it('waits while the store is away, and goes on by itself when that is back', async () => {
    stopClock()
    const { rig, client, stream } = await begin({ settings: { storeGiveUpMs: 5000 } })
    await queue(client, 'm2')
    rig.store.hold()
    stream.stop()
    await turns()
    rig.store.goAway()
    rig.store.release()
    rig.store.comeBack()
    rig.store.goAway()
    await client.end()
    await rig.pass(20_000)
    expect(rig.model.streams).toHaveLength(1)
    rig.store.comeBack()
    await rig.pass(5000)
    expect(await answerAll(rig, 1)).toEqual(['text of m2'])
  })

  it.each([
    ['5 s', undefined, 5000],
    ['as long as the refusal says, a minute at most', 3_600_000, 60_000],
  ])('that could not go on is tried again after %s', async (_how, retryAfterMs, waitMs) => {
    stopClock()
    const tries: number[] = []
    let isFull = false
    const takeRun = async () => {
      tries.push(Date.now())
      if (isFull) throw new ParleyError('rate_limit_exceeded', retryAfterMs === undefined ? {} : { retryAfterMs })
      return () => {}
    }
    const { rig, client, stream } = await begin({ takeRun })
    await queue(client, 'm2')
    isFull = true
    stream.stop()
    await client.end()
    await rig.pass(2 * waitMs + 2000)
    const [, ...again] = tries
    expect(again.map((at) => Math.round((at - (again[0] ?? 0)) / waitMs))).toEqual([0, 1, 2])
    isFull = false
    await rig.pass(waitMs)
    expect(await answerAll(rig, 1)).toEqual(['text of m2'])
  })
})
