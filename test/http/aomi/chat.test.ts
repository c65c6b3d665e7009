import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { AomiClient, addKeyedApp, linesOf, snapshotOf } from '../../support/aomi-client.ts'
import { EventStream } from '../../support/event-stream.ts'
import { LiveServer } from '../../support/live-server.ts'
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts'
import { PuppetProvider } from '../../support/puppet-provider.ts'
import { TRANSPORTS } from '../../support/transports.ts'

/** Above the 16 KiB of a request line and headers that Node lets in by itself. */
const LONG_MESSAGE = 'ä'.repeat(8500)
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/

describe.each(TRANSPORTS)('a chat of Aomi’s client on %s', (transport) => {
  let database: TestDatabase
  let server: LiveServer

  beforeAll(async () => {
    database = await createTestDatabase()
    server = await LiveServer.start({ transport, database: database.connection })
  })

  afterAll(async () => {
    await server.close()
    await database.drop()
  })

  it('a quick answer comes with the chat: no poll', async () => {
    const snapshot = await snapshotOf(new AomiClient(server).chat('hello'))
    expect(snapshot).toMatchObject({ is_processing: false, status: 'idle', title: 'hello', system_events: [] })
    expect(snapshot.messages.map(({ sender }) => sender)).toEqual(['user', 'agent'])
    for (const message of snapshot.messages) {
      expect(message).toMatchObject({ is_streaming: false, tool_result: null })
      expect(message.timestamp).toMatch(ISO)
    }
  })

  it('a slow one is polled while it grows, and a WebSocket sees every token of the same run', async () => {
    const client = new AomiClient(server)
    const socket = await server.connect(client.session)
    const first = await snapshotOf(client.chat('count from 1 to 400'))
    expect(first).toMatchObject({ is_processing: true, status: 'processing', run_id: expect.any(String) })
    const growing = await snapshotOf(client.state())
    expect(growing.messages.at(-1)).toMatchObject({ sender: 'agent', is_streaming: true })
    const whole = await client.done()
    await socket.end()
    const streamed = socket.events.map((event) => (event.type === 'TEXT_MESSAGE_CONTENT' ? event.delta : '')).join('')
    expect(streamed.startsWith(growing.messages.at(-1)?.content ?? 'nothing')).toBe(true)
    expect(whole.messages.at(-1)).toMatchObject({ content: streamed, is_streaming: false })
  }, 20_000)

  it('a run that a WebSocket started is polled', async () => {
    const client = new AomiClient(server)
    const socket = await server.connect(client.session)
    await socket.ask('calculate 6*7')
    expect(linesOf(await snapshotOf(client.state()))).toEqual([
      'user: calculate 6*7',
      expect.stringMatching(/^agent: ./),
      expect.stringMatching(/^calculator = .*42/),
      expect.stringContaining('42'),
    ])
  })

  it('a message while another is answered waits its turn, and is shown', async () => {
    const client = new AomiClient(server)
    await snapshotOf(client.chat('count from 1 to 400'))
    const second = await snapshotOf(client.chat('hello'))
    expect(second.is_processing).toBe(true)
    expect(linesOf(second).at(-1)).toBe('user: hello')
    const lines = linesOf(await client.done())
    expect(lines.map((line) => line.split(':', 1)[0])).toEqual(['user', 'agent', 'user', 'agent'])
  })

  it('takes a message of 17,000 bytes in the URL', async () => {
    const snapshot = await snapshotOf(new AomiClient(server).chat(LONG_MESSAGE))
    expect(snapshot.messages[0]?.content).toBe(LONG_MESSAGE)
  })

  it('many first chats at once make one session, and each is answered', async () => {
    const client = new AomiClient(server)
    const texts = ['one', 'two', 'three', 'four', 'five']
    const answers = await Promise.all(texts.map((text) => client.chat(`hello ${text}`)))
    expect(answers.map(({ status }) => status)).toEqual(texts.map(() => 200))
    const { messages } = await client.done()
    expect(messages.filter(({ sender }) => sender === 'user')).toHaveLength(texts.length)
    expect(messages.filter(({ sender }) => sender === 'agent')).toHaveLength(texts.length)
    const rows = await database.sql`select id from sessions where id = ${client.session}`
    expect(rows).toHaveLength(1)
  })

  it('the older documentation’s body is answered by a stream of its events', async () => {
    const client = new AomiClient(server)
    const headers = { 'content-type': 'application/json' }
    const answer = await client.request('POST', '/api/chat', {}, headers, JSON.stringify({ text: 'calculate 6*7' }))
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/event-stream; charset=utf-8'])
    const events = (await answer.text())
      .split('\n\n')
      .filter((part) => part !== '')
      .map((part): { type: string; content?: string } => JSON.parse(part.replace(/^data: /, '')))
    const tools = events.filter(({ type }) => type.startsWith('tool_'))
    expect(tools).toEqual([
      { type: 'tool_call', name: 'calculator', call_id: expect.any(String), args: { expression: '6*7' } },
      { type: 'tool_result', name: 'calculator', call_id: expect.any(String), result: expect.stringContaining('42') },
    ])
    expect(events.at(-1)).toEqual({ type: 'complete' })
    expect(events.map(({ content = '' }) => content).join('')).toContain('42')
  })

  it('the stream begins once the message is saved, before the model says anything', async () => {
    const puppet = new PuppetProvider()
    const options = { transport, database: database.connection, providers: [puppet], model: 'puppet/p' }
    const silent = await LiveServer.start(options)
    const client = new AomiClient(silent)
    const headers = { 'content-type': 'application/json' }
    const answer = await client.request('POST', '/api/chat', {}, headers, JSON.stringify({ text: 'hello' }))
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/event-stream; charset=utf-8'])
    const rows = await database.sql`select content from messages where session_id = ${client.session}`
    expect([...rows]).toEqual([{ content: 'hello' }])
    const model = await puppet.request(0)
    model.say('Hi').stop()
    const parts = (await answer.text()).split('\n\n').filter((part) => part !== '')
    expect(parts.map((part) => JSON.parse(part.replace(/^data: /, '')))).toEqual([
      { type: 'text', content: 'Hi' },
      { type: 'complete' },
    ])
    await silent.close()
  })

  it('streams the run of its own message when another is on, and says how it failed', async () => {
    const client = new AomiClient(server)
    const send = (text: string) =>
      client.request('POST', '/api/chat', {}, { 'content-type': 'application/json' }, JSON.stringify({ text }))
    await snapshotOf(client.chat('count from 1 to 400'))
    const answer = await send('fail overloaded')
    const text = await answer.text()
    expect(text).not.toContain('400')
    expect(text).toContain('"type":"error"')
    expect(text).not.toContain('"type":"complete"')
  })

  it('the stream of a message that was taken out of the queue ends with complete', async () => {
    const client = new AomiClient(server)
    await snapshotOf(client.chat('count from 1 to 1000'))
    const body = JSON.stringify({ text: 'hello' })
    const answer = await client.request('POST', '/api/chat', {}, { 'content-type': 'application/json' }, body)
    await client.interrupt()
    expect((await answer.text()).trim()).toBe('data: {"type":"complete"}')
  })

  it('I9: the stream of an answer ends with the key that asked for it, and the answer goes on', async () => {
    const key = await addKeyedApp(server, `gone-${transport}`, 'full')
    const client = new AomiClient(server)
    const headers = { 'content-type': 'application/json', 'x-api-key': key }
    const body = JSON.stringify({ text: 'count from 1 to 400' })
    const asked = client.request('POST', '/api/chat', { app: `gone-${transport}` }, headers, body)
    const stream = await EventStream.open(asked)
    await stream.until('text')
    await server.store.revokeKey(key.split('_')[2] ?? '', Date.now())
    expect(await stream.until('error')).toMatchObject({ message: expect.any(String) })
    expect(await stream.next()).toBeUndefined()
    expect((await snapshotOf(client.state())).is_processing).toBe(true)
    expect((await client.interrupt()).status).toBe(200)
  })

  it('a streamed answer takes one of its address’s connections, and gives it back at its end and when its reader leaves', async () => {
    const puppet = new PuppetProvider()
    const access = { connectionsPerAddress: 2, runsAtOnce: 100, runsPerMinute: 100 }
    const options = { transport, database: database.connection, providers: [puppet], model: 'puppet/p' }
    const narrow = await LiveServer.start({ ...options, access })
    const headers = { 'content-type': 'application/json', 'x-forwarded-for': '203.0.113.9' }
    const ask = (client: AomiClient) => client.request('POST', '/api/chat', {}, headers, '{"text":"hello"}')
    const [first, second] = [await ask(new AomiClient(narrow)), await ask(new AomiClient(narrow))]
    expect([first.status, second.status]).toEqual([200, 200])
    const refused = new AomiClient(narrow)
    expect((await ask(refused)).status).toBe(429)
    expect((await snapshotOf(refused.state())).messages).toEqual([])
    const model = await puppet.request(0)
    model.say('Hi').stop()
    await first.text()
    const third = await ask(new AomiClient(narrow))
    expect([third.status, (await ask(new AomiClient(narrow))).status]).toEqual([200, 429])
    await second.body?.cancel()
    await expect.poll(async () => (await ask(new AomiClient(narrow))).status).toBe(200)
    await narrow.close()
  })

  it('the same body is answered by a snapshot to who wants JSON', async () => {
    const headers = { 'content-type': 'application/json', accept: 'application/json' }
    const body = JSON.stringify({ message: 'hello' })
    const answer = new AomiClient(server).request('POST', '/api/chat', {}, headers, body)
    expect(linesOf(await snapshotOf(answer))[0]).toBe('user: hello')
  })

  it('a failure of the model is an answer, and told once to each client', async () => {
    const [one, session] = [new AomiClient(server), randomUUID()]
    const [first, second] = [new AomiClient(server, session), new AomiClient(server, session)]
    expect((await snapshotOf(one.chat('hello'))).system_events).toEqual([])
    const error = { SystemError: 'The model is overloaded; try again' }
    const snapshot = await snapshotOf(first.chat('fail overloaded'))
    expect(snapshot.system_events).toEqual([error])
    expect(linesOf(snapshot).at(-1)).toBe('agent: The model is overloaded; try again')
    expect((await snapshotOf(second.state())).system_events).toEqual([error])
    for (const client of [first, second]) expect((await snapshotOf(client.state())).system_events).toEqual([])
  })

  it('nothing is lost when the server restarts right after a chat returned', async () => {
    const client = new AomiClient(server)
    await snapshotOf(client.chat('count from 1 to 2000'))
    await snapshotOf(client.chat('hello'))
    await server.close()
    server = await LiveServer.start({ transport, database: database.connection })
    const lines = linesOf(await new AomiClient(server, client.session).done())
    expect(lines.filter((line) => line.startsWith('user:'))).toEqual(['user: count from 1 to 2000', 'user: hello'])
    expect(lines).toHaveLength(4)
  }, 20_000)

  it('another process on the same store shows and stops the run', async () => {
    const other = await LiveServer.start({ transport, database: database.connection })
    const [here, session] = [new AomiClient(server), randomUUID()]
    const [one, two] = [new AomiClient(server, session), new AomiClient(other, session)]
    await snapshotOf(here.chat('hello'))
    await snapshotOf(one.chat('count from 1 to 5000'))
    await expect
      .poll(async () => linesOf(await snapshotOf(two.state()))[1]?.slice(0, 10), { timeout: 10_000 })
      .toBe('agent: 1 2')
    expect(await snapshotOf(two.state())).toMatchObject({ is_processing: true })
    await snapshotOf(two.interrupt())
    expect((await one.done()).status).toBe('interrupted')
    await snapshotOf(two.chat('hello'))
    expect(linesOf(await two.done()).filter((line) => line.startsWith('user:'))).toHaveLength(2)
    expect(linesOf(await one.done()).filter((line) => line.startsWith('user:'))).toHaveLength(2)
    await other.close()
  }, 30_000)

  it('an interrupt stops what another process queued a moment ago, and was not heard of yet', async () => {
    const other = await LiveServer.start({ transport, database: database.connection })
    const session = randomUUID()
    const [one, two] = [new AomiClient(server, session), new AomiClient(other, session)]
    await snapshotOf(one.chat('count from 1 to 5000'))
    await snapshotOf(two.state())
    const load = other.store.load.bind(other.store)
    const slow = vi.spyOn(other.store, 'load').mockImplementation(async (id) => {
      await new Promise((resolve) => setTimeout(resolve, 300))
      return load(id)
    })
    await snapshotOf(one.chat('count from 1 to 4000'))
    await snapshotOf(two.interrupt())
    slow.mockRestore()
    const { messages } = await one.done()
    expect(messages.length).toBeLessThan(4 + 1)
    expect(messages.at(-1)?.content).not.toMatch(/4000/)
    await other.close()
  }, 20_000)

  it('takes the names of all generations', async () => {
    const client = new AomiClient(server)
    const key = await addKeyedApp(server, `app-${transport}`, 'full')
    for (const [name, header] of [
      ['app', 'x-api-key'],
      ['namespace', 'aomi-app-key'],
      ['chatbot', 'x-api-key'],
    ] as const) {
      const url = `http://127.0.0.1:${server.port}/api/chat?message=hello&${name}=app-${transport}`
      const answer = await fetch(url, { method: 'POST', headers: { 'x-thread-id': client.session, [header]: key } })
      expect(answer.status).toBe(200)
    }
    const answer = await fetch(`http://127.0.0.1:${server.port}/api/state?session_id=${client.session}`)
    expect((await snapshotOf(Promise.resolve(answer))).messages).toHaveLength(6)
  })
})
