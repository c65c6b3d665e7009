import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { AomiClient, addKeyedApp, snapshotOf } from '../../support/aomi-client.ts'
import { EventStream } from '../../support/event-stream.ts'
import { LiveServer } from '../../support/live-server.ts'
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts'
import { TRANSPORTS } from '../../support/transports.ts'

const ADDRESS = '0x742d35Cc6634C0532925a3b844Bc9e7595f2bD68'
const OTHER_ADDRESS = '0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed'
const JSON_BODY = { 'content-type': 'application/json' }
const TITLE = JSON.stringify({ title: 'Still here' })

describe.each(TRANSPORTS)('what Aomi’s client is told beside its polls, on %s', (transport) => {
  let database: TestDatabase
  let server: LiveServer

  beforeAll(async () => {
    database = await createTestDatabase()
    server = await LiveServer.start({ transport, database: database.connection, chat: { titles: true } })
  })

  afterAll(async () => {
    await server.close()
    await database.drop()
  })

  const open = (client: AomiClient, headers = {}) =>
    EventStream.open(client.request('GET', '/api/updates', {}, { accept: 'text/event-stream', ...headers }))

  it('comes by a stream that is open before the session exists', async () => {
    const client = new AomiClient(server)
    const stream = await open(client)
    const { status, headers } = stream.response
    expect([status, headers.get('content-type')]).toEqual([200, 'text/event-stream; charset=utf-8'])
    expect(headers.get('access-control-allow-origin')).toBe('*')
    await snapshotOf(client.chat('calculate 6*7'))
    expect(await stream.next()).toEqual({
      type: 'title_changed',
      session_id: client.session,
      new_title: 'calculate 6*7',
    })
    const tool = { session_id: client.session, id: expect.any(String), call_id: expect.any(String) }
    expect(await stream.next()).toEqual({
      type: 'tool_update',
      ...tool,
      tool_name: 'calculator',
      status: 'running',
      result: '',
    })
    expect(await stream.next()).toEqual({
      type: 'tool_complete',
      ...tool,
      tool_name: 'calculator',
      status: 'completed',
      result: expect.stringContaining('42'),
    })
    await stream.until('title_changed')
    await stream.close()
  })

  it('once to each client, and the title again to each who comes back', async () => {
    const session = randomUUID()
    const [one, two] = [new AomiClient(server, session), new AomiClient(server, session)]
    const streams = [await open(one), await open(two)]
    await snapshotOf(one.chat('count from 1 to 2000'))
    await snapshotOf(two.chat('hello'))
    for (const stream of streams) expect((await stream.until('system_notice'))['message']).toMatch(/waits/)
    const late = await open(one)
    expect(await late.next()).toMatchObject({ type: 'title_changed', new_title: expect.any(String) })
    for (const stream of [...streams, late]) await stream.close()
  })

  it('names the tool of a call that waited and was declined; the stream of the next chat does not tell it', async () => {
    const key = await addKeyedApp(server, `asks-${transport}`, 'full', {}, [
      { type: 'builtin', name: 'calculator', approval: 'ask' },
    ])
    const client = new AomiClient(server, randomUUID(), key)
    const app = { app: `asks-${transport}` }
    await snapshotOf(client.chat('calculate 6*7', app))
    const stream = await open(client)
    const headers = { 'x-api-key': key, 'content-type': 'application/json' }
    const answer = await client.request('POST', '/api/chat', app, headers, '{"text":"hello"}')
    expect(await answer.text()).not.toContain('tool_result')
    expect(await stream.until('tool_complete')).toMatchObject({ tool_name: 'calculator' })
    await stream.close()
  })

  it('hears of a session that a WebSocket made, and of a title that a person gave there', async () => {
    const client = new AomiClient(server)
    const stream = await open(client)
    const socket = await server.connect(client.session)
    socket.send({ type: 'session.update', id: 'u', title: 'My numbers' })
    expect(await stream.next()).toMatchObject({ type: 'title_changed', new_title: 'My numbers' })
    await stream.close()
  })

  it('ends with the session’s process, so that the client comes back to the next', async () => {
    const other = await LiveServer.start({ transport, database: database.connection })
    const client = new AomiClient(other)
    const streams = [await open(client)]
    await snapshotOf(client.chat('hello'))
    streams.push(await open(client), await open(new AomiClient(other)))
    const ends = Promise.all(
      streams.map(async (stream) => {
        while ((await stream.next()) !== undefined);
        return 'ended'
      }),
    )
    await other.close()
    expect(await ends).toEqual(['ended', 'ended', 'ended'])
  })

  it('holds no more than five connections of one wallet: the oldest where nothing is on ends, and can be opened again', async () => {
    const wallet = (address: string) => ({
      user_state: JSON.stringify({ address, chain_id: 1, is_connected: true }),
    })
    const visit = async (address: string, message: string) => {
      const client = new AomiClient(server)
      await client.chat(message, wallet(address))
      return { client, stream: await open(client) }
    }
    const busy = await visit(ADDRESS, 'count from 1 to 5000')
    const elsewhere = await visit(OTHER_ADDRESS, 'hello')
    const idle = [await visit(ADDRESS, 'hello')]
    while (idle.length < 4) idle.push(await visit(ADDRESS.toLowerCase(), 'hello'))
    const last = await visit(ADDRESS, 'hello')
    const [first, second] = idle
    while ((await first?.stream.next()) !== undefined);
    const again = first === undefined ? undefined : await open(first.client)
    expect(await again?.until('title_changed')).toBeDefined()
    while ((await second?.stream.next()) !== undefined);
    const told = [busy, elsewhere, last, ...idle.slice(2)]
    for (const { client } of told)
      await client.request('PATCH', `/api/sessions/${client.session}`, {}, JSON_BODY, TITLE)
    for (const { stream } of told) while ((await stream.until('title_changed'))['new_title'] !== 'Still here');
    await busy.client.interrupt()
    for (const { stream } of told) await stream.close()
    await again?.close()
  })

  it('is for those only who may read the session', async () => {
    const key = await addKeyedApp(server, 'shut', 'off')
    const client = new AomiClient(server, randomUUID(), key)
    const early = await open(client)
    await snapshotOf(client.chat('hello', { app: 'shut' }))
    expect(await early.next()).toBeUndefined()
    expect((await client.request('GET', '/api/updates')).status).toBe(401)
    const stream = await open(client, { 'x-api-key': key })
    expect(await stream.next()).toMatchObject({ type: 'title_changed' })
    await server.store.revokeKey(key.split('_')[2] ?? '', Date.now())
    // A better title may still come between.
    while ((await stream.next()) !== undefined);
    await stream.close()
  })

  it('HEAD, which has no body to leave, keeps no connection', async () => {
    const access = { connectionsPerAddress: 2 }
    const narrow = await LiveServer.start({ transport, database: database.connection, access })
    const visitor = { 'x-forwarded-for': '203.0.113.9' }
    const ask = (method: string) => new AomiClient(narrow).request(method, '/api/updates', {}, visitor)
    for (let times = 0; times < 5; times++) expect((await ask('HEAD')).status).toBe(200)
    const streams = [await EventStream.open(ask('GET')), await EventStream.open(ask('GET'))]
    expect(streams.map(({ response }) => response.status)).toEqual([200, 200])
    expect([(await ask('GET')).status, (await ask('HEAD')).status]).toEqual([429, 429])
    for (const stream of streams) await stream.close()
    await narrow.close()
  })

  it('a wallet that changed before the first chat is the session’s from then on', async () => {
    const client = new AomiClient(server)
    const changed = (payload: object) => {
      const message = JSON.stringify({ type: 'wallet:state_changed', payload })
      return client.request('POST', '/api/system', { message })
    }
    const answer = await changed({ address: ADDRESS, chain_id: 1, is_connected: true })
    expect([answer.status, await answer.json()]).toEqual([
      200,
      {
        res: expect.objectContaining({
          sender: 'system',
          content: expect.stringMatching(/^Response of system endpoint: /),
        }),
      },
    ])
    expect((await snapshotOf(client.state())).user_state).toMatchObject({ address: ADDRESS, is_connected: true })
    await snapshotOf(client.chat('hello'))
    const wallet = async () => (await (await server.connect(client.session)).control('session.ready')).wallet
    expect(await wallet()).toEqual({ address: ADDRESS, chain: '1' })
    await changed({ address: '0xabc', chainId: 137, isConnected: true })
    expect(await wallet()).toEqual({ address: '0xabc', chain: '137' })
    await changed({ is_connected: false })
    expect(await wallet()).toBeUndefined()
    expect((await snapshotOf(client.chat('hello'))).is_processing).toBe(false)
  })

  it('everything else is kept, and given again to who asks', async () => {
    const client = new AomiClient(server)
    const tell = (message: string) => client.request('POST', '/api/system', { message })
    const list = async (count?: string) =>
      (await client.request('GET', '/api/events', count === undefined ? {} : { count })).json()
    expect((await client.request('GET', '/api/events')).status).toBe(404)
    await snapshotOf(client.chat('hello'))
    const stream = await open(client)
    expect((await tell('a note')).status).toBe(200)
    expect(await stream.until('system_notice')).toMatchObject({ message: 'a note' })
    const callback = { type: 'wallet:tx_complete', payload: { txHash: '0x1', status: 'success' } }
    expect((await tell(JSON.stringify(callback))).status).toBe(200)
    expect(await list()).toEqual([{ SystemNotice: 'a note' }, { AsyncCallback: callback }])
    expect(await list('1')).toEqual([{ AsyncCallback: callback }])
    expect(await list('0')).toEqual([])
    await stream.close()
  })

  it.each([
    ['no message', {}],
    ['JSON that is none', { message: '{' }],
    ['a wallet that is none', { message: '{"type":"wallet:state_changed","payload":7}' }],
    ['a long message', { message: 'x'.repeat(40_000) }],
  ])('refuses %s', async (_what, query) => {
    expect((await new AomiClient(server).request('POST', '/api/system', query)).status).toBe(400)
  })
})
