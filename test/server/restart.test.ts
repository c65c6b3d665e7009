import { randomUUID } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Message } from '../../src/protocol/messages.ts'
import { type LiveClient, LiveServer } from '../support/live-server.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { TRANSPORTS } from '../support/transports.ts'

/** What a client that comes anew is shown. */
async function shown(client: LiveClient): Promise<readonly Message[]> {
  return (await client.control('session.snapshot')).messages
}

const told = (messages: readonly Message[]): readonly string[] =>
  messages.map(({ role, content }) => `${role}: ${content ?? ''}`)

describe.each(TRANSPORTS)('a server on %s that is stopped and started again', (transport) => {
  let database: TestDatabase
  let server: LiveServer
  let session: string

  const start = (): Promise<LiveServer> => LiveServer.start({ transport, database: database.connection })

  beforeEach(async () => {
    database = await createTestDatabase()
    server = await start()
    session = randomUUID()
  })

  afterEach(async () => {
    await server.close()
    await database.drop()
  })

  async function restart(drainMs = 0): Promise<void> {
    await server.close(drainMs)
    server = await start()
  }

  it('I2: has every message, tool result, title and memory of the conversation', async () => {
    const before = await server.connect(session)
    await before.ask('remember the number 42')
    await before.ask('calculate 6*7')
    before.send({ type: 'session.update', id: 'u', title: 'My numbers', wallet: { address: '0xabc', chain: 1 } })
    await before.control('ack')
    const held = await server.connect(session)
    const expected = await shown(held)
    await restart()
    const after = await server.connect(session)
    expect(await after.control('session.ready')).toMatchObject({
      status: 'idle',
      title: 'My numbers',
      wallet: { address: '0xabc', chain: '1' },
      lastRun: { outcome: 'success' },
    })
    expect(await shown(after)).toEqual(expected)
    await after.ask('what number did I ask you to remember?')
    expect(after.events.map((event) => ('delta' in event ? event.delta : '')).join('')).toContain('42')
  })

  it('I12: tells its clients, interrupts what is on at the deadline, saves it and closes with 1012', async () => {
    const client = await server.connect(session)
    client.send({ type: 'message.send', clientMessageId: 'm1', content: 'count from 1 to 1000' })
    await client.event('TEXT_MESSAGE_CONTENT')
    client.send({ type: 'message.send', clientMessageId: 'm2', content: 'hello' })
    await client.until(
      (frame): frame is typeof frame => 'type' in frame && frame.type === 'ack' && frame.state === 'queued',
    )
    const closing = server.close(0)
    await client.control('server.draining')
    await client.end()
    expect(client.events.at(-1)).toMatchObject({ type: 'RUN_FINISHED', outcome: { type: 'cancelled' } })
    await closing
    expect(await client.socket.closed).toMatchObject({ code: 1012 })
    server = await start()
    const after = await server.connect(session)
    const ready = await after.control('session.ready')
    expect(ready.lastRun).toMatchObject({ outcome: 'interrupted' })
    const messages = await shown(after)
    expect(messages[1]).toMatchObject({ role: 'assistant', metadata: { interrupted: true } })
    await after.until(
      (frame): frame is typeof frame => 'type' in frame && frame.type === 'session.status' && frame.status === 'idle',
    )
    const again = await server.connect(session)
    expect(told(await shown(again)).slice(2)).toEqual(['user: hello', expect.stringContaining('assistant: ')])
  })

  it('I12: lets an answer that ends in time end', async () => {
    const client = await server.connect(session)
    client.send({ type: 'message.send', clientMessageId: 'm1', content: 'count from 1 to 30' })
    await client.event('TEXT_MESSAGE_CONTENT')
    const closing = server.close(10_000)
    await client.end()
    expect(client.events.at(-1)).toMatchObject({ type: 'RUN_FINISHED', outcome: { type: 'success' } })
    await closing
    server = await start()
    expect(told(await shown(await server.connect(session)))[1]).toContain('30')
  })

  it('takes a message that is sent again after the restart for the one it knows', async () => {
    const client = await server.connect(session)
    client.send({ type: 'message.send', clientMessageId: 'm1', content: 'hello' })
    const first = await client.control('ack')
    await client.end()
    await restart()
    const after = await server.connect(session)
    after.send({ type: 'message.send', clientMessageId: 'm1', content: 'hello' })
    expect(await after.control('ack')).toMatchObject({ runId: first.runId, duplicate: true })
    after.send({ type: 'message.send', clientMessageId: 'm1', content: 'something else' })
    expect(await after.control('error')).toMatchObject({ code: 'conflict' })
    expect(after.events).toEqual([])
  })

  it('answers a retried and an edited message instead of the old ones', async () => {
    const client = await server.connect(session)
    client.send({ type: 'message.send', clientMessageId: 'm1', content: 'calculate 1+1' })
    const { runId = '' } = await client.control('ack')
    await client.end()
    await client.ask('calculate 2+2')
    client.send({ type: 'run.retry', runId })
    const { chunk } = await client.event('RUN_STARTED')
    await client.end()
    const replaces = chunk.input?.messages[0]?.id ?? ''
    client.send({ type: 'message.send', clientMessageId: 'm3', content: 'calculate 3+3', replaces })
    await client.end()
    await restart()
    const messages = await shown(await server.connect(session))
    expect(told(messages)[0]).toBe('user: calculate 3+3')
    expect(messages.filter(({ role }) => role === 'user')).toHaveLength(1)
    expect(told(messages).at(-1)).toContain('3+3 = 6')
  })
})
