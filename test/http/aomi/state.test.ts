import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { AomiClient, linesOf, snapshotOf } from '../../support/aomi-client.ts'
import { LiveServer } from '../../support/live-server.ts'
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts'
import { TRANSPORTS } from '../../support/transports.ts'

const WALLET = { address: '0x742d35Cc6634C0532925a3b844Bc9e7595f2bD68', chain_id: 1, is_connected: true }

describe.each(TRANSPORTS)('the state that Aomi’s client polls, on %s', (transport) => {
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

  it('of a session that nobody made is empty', async () => {
    expect(await snapshotOf(new AomiClient(server).state())).toMatchObject({
      messages: [],
      system_events: [],
      title: null,
      is_processing: false,
      user_state: { pending_txs: {}, pending_eip712s: {} },
    })
  })

  it('is not sent again while nothing changed', async () => {
    const client = new AomiClient(server)
    await snapshotOf(client.chat('hello'))
    const first = await client.state()
    const tag = first.headers.get('etag') ?? ''
    expect([first.headers.get('cache-control'), tag]).toEqual(['no-cache', expect.stringMatching(/^".+"$/)])
    const same = await client.state({}, { 'if-none-match': tag })
    expect([same.status, await same.text()]).toEqual([304, ''])
    const other = await client.state({ user_state: '{"ext":{"a":1}}' }, { 'if-none-match': tag })
    expect(other.status).toBe(200)
    await snapshotOf(client.chat('hello again'))
    expect((await client.state({}, { 'if-none-match': tag })).status).toBe(200)
  })

  it('that tells an event is kept by no cache', async () => {
    const client = new AomiClient(server)
    const socket = await server.connect(client.session)
    await socket.ask('fail overloaded')
    const answer = await client.state()
    expect([answer.headers.get('cache-control'), answer.headers.get('etag')]).toEqual(['no-store', null])
    expect((await client.state()).headers.get('etag')).not.toBeNull()
  })

  it('gives back what the client said of itself, but for what waits to be signed', async () => {
    const client = new AomiClient(server)
    const said = { ...WALLET, ens_name: null, ext: { client_type: 'web_ui', deep: [1, { a: 2 }] } }
    const pending = { pending_txs: { 1: { to: '0xdead' } }, pending_eip712s: {}, next_id: 2 }
    const { user_state: told } = await snapshotOf(client.state({ user_state: JSON.stringify({ ...said, ...pending }) }))
    expect(told).toMatchObject(said)
    expect(told).toMatchObject({ pending_txs: {}, pending_eip712s: {}, next_id: 1 })
    const nested = { evm: { address: WALLET.address, chain_id: 1 }, pending: { evm_txs: { 1: {} }, evm_sigs: {} } }
    const other = await snapshotOf(client.state({ user_state: JSON.stringify(nested) }))
    expect(other.user_state).toMatchObject({ evm: nested.evm, pending: { evm_txs: {}, evm_sigs: {} } })
    expect((await snapshotOf(client.state())).user_state).toMatchObject({ evm: nested.evm })
  })

  it.each(['{', '[]', '7', `{"a":"${'x'.repeat(70_000)}"}`, `${'{"a":'.repeat(50)}1${'}'.repeat(50)}`])(
    'refuses a user_state that is no object of a sane size (%#)',
    async (text) => {
      expect((await new AomiClient(server).state({ user_state: text })).status).toBe(400)
    },
  )

  it('a chat binds the wallet that it names, and one that disconnected is unbound', async () => {
    const client = new AomiClient(server)
    await snapshotOf(client.chat('hello', { user_state: JSON.stringify(WALLET) }))
    const bound = async () => {
      const socket = await server.connect(client.session)
      return (await socket.control('session.ready')).wallet
    }
    expect(await bound()).toEqual({ address: WALLET.address, chain: '1' })
    await snapshotOf(client.chat('hello', { public_key: '0xabc' }))
    expect(await bound()).toEqual({ address: '0xabc', chain: '1' })
    await snapshotOf(client.chat('hello', { user_state: '{"is_connected":false}' }))
    expect(await bound()).toBeUndefined()
  })

  describe('an interrupt', () => {
    it('stops what is on and what waits', async () => {
      const client = new AomiClient(server)
      await snapshotOf(client.chat('count from 1 to 2000'))
      await snapshotOf(client.chat('hello'))
      const snapshot = await snapshotOf(client.interrupt())
      expect(snapshot).toMatchObject({ is_processing: false, interrupted: true })
      expect(linesOf(snapshot)[0]).toBe('user: count from 1 to 2000')
      expect(snapshot.messages.every(({ is_streaming }) => !is_streaming)).toBe(true)
      expect(await snapshotOf(client.state())).toMatchObject({ is_processing: false, status: 'interrupted' })
    })

    it('that comes late never touches the next run', async () => {
      const client = new AomiClient(server)
      await snapshotOf(client.chat('count from 1 to 2000'))
      const { run_id: stale } = await snapshotOf(client.state())
      await snapshotOf(client.interrupt())
      await snapshotOf(client.chat('count from 1 to 2000'))
      const late = await snapshotOf(client.interrupt({ run_id: stale ?? '' }))
      expect(late.is_processing).toBe(true)
      expect((await snapshotOf(client.state())).run_id).not.toBe(stale)
      expect(await snapshotOf(client.state())).toMatchObject({ is_processing: true })
      await snapshotOf(client.interrupt())
    })

    it('and the next chat, sent at once, do not meet', async () => {
      for (let round = 0; round < 5; round++) {
        const client = new AomiClient(server)
        await snapshotOf(client.chat('count from 1 to 2000'))
        const stopped = client.interrupt()
        const next = client.chat('hello')
        await Promise.all([snapshotOf(stopped), snapshotOf(next)])
        const lines = linesOf(await client.done())
        expect(lines.slice(-2)[0]).toBe('user: hello')
        expect(lines.at(-1)).toMatch(/^agent: ./)
      }
    })

    it('of nothing is no failure', async () => {
      expect(await snapshotOf(new AomiClient(server).interrupt())).toMatchObject({ messages: [], interrupted: true })
    })
  })

  it('five polls at once of a long session are answered far below the poll’s interval', async () => {
    const client = new AomiClient(server)
    await snapshotOf(client.chat('count from 1 to 900'))
    const startedAt = performance.now()
    await Promise.all(Array.from({ length: 5 }, () => snapshotOf(client.state())))
    expect(performance.now() - startedAt).toBeLessThan(500)
    await snapshotOf(client.interrupt())
  })

  it.each([
    ['no session', 'POST', '/api/chat?message=x', {}],
    ['no session', 'GET', '/api/state', {}],
    ['a session that is no UUID', 'GET', '/api/state', { 'x-session-id': 'mine' }],
    ['two sessions', 'GET', `/api/state?session_id=${randomUUID()}`, { 'x-session-id': randomUUID() }],
    ['no message', 'POST', '/api/chat', { 'x-session-id': randomUUID() }],
    ['an empty message', 'POST', '/api/chat?message=%20', { 'x-session-id': randomUUID() }],
    [
      'an id that can be guessed',
      'POST',
      '/api/chat?message=x',
      { 'x-session-id': `${'0'.repeat(8)}-0000-0000-0000-000000000001` },
    ],
    ['no App', 'POST', '/api/chat?message=x&app=No%20App', { 'x-session-id': randomUUID() }],
  ])('refuses %s (%s %s)', async (_what, method, path, headers) => {
    const answer = await fetch(`http://127.0.0.1:${server.port}${path}`, { method, headers: { ...headers } })
    expect(answer.status).toBe(400)
    expect(await answer.json()).toEqual({ error: expect.any(String), code: 'bad_request' })
  })

  it('any page may ask, and learns that for two hours', async () => {
    const url = `http://127.0.0.1:${server.port}/api/state`
    const asked = { origin: 'https://shop.example', 'access-control-request-method': 'GET' }
    const preflight = await fetch(url, { method: 'OPTIONS', headers: asked })
    expect(preflight.status).toBe(204)
    expect(preflight.headers.get('access-control-allow-origin')).toBe('*')
    expect(preflight.headers.get('access-control-max-age')).toBe('7200')
    expect(preflight.headers.get('access-control-allow-methods')).toContain('DELETE')
    expect(preflight.headers.get('access-control-allow-headers')).toContain('x-thread-id')
    const answer = await new AomiClient(server).state({}, { origin: 'https://shop.example' })
    expect([answer.status, answer.headers.get('access-control-allow-origin')]).toEqual([200, '*'])
    const refused = await new AomiClient(server).chat('hello', {}, { origin: 'https://shop.example' })
    expect(refused.status).toBe(403)
  })
})
