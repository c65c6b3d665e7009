import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { AomiClient, addKeyedApp, snapshotOf } from '../../support/aomi-client.ts'
import { LiveServer } from '../../support/live-server.ts'
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts'

const PAGE = 'https://shop.example'

describe('who may do what by Aomi’s contract', () => {
  let database: TestDatabase
  let server: LiveServer

  beforeAll(async () => {
    database = await createTestDatabase()
    server = await LiveServer.start({ transport: 'ws', database: database.connection })
  })

  afterAll(async () => {
    await server.close()
    await database.drop()
  })

  /** A session of App `app` that a key of it made. */
  async function made(app: string, key: string, headers: Record<string, string> = {}): Promise<AomiClient> {
    const client = new AomiClient(server, randomUUID(), key)
    await snapshotOf(client.chat('hello', { app }, headers))
    return client
  }

  it('401 for a missing and a wrong key, 403 for a good one of another App, 404 for another’s session', async () => {
    const [one, other] = [await addKeyedApp(server, 'one', 'off'), await addKeyedApp(server, 'two', 'off')]
    const stranger = await addKeyedApp(server, 'one', 'off', { account: 'other' })
    const status = async (client: AomiClient, app = 'one') => (await client.chat('hello', { app })).status
    expect(await status(new AomiClient(server))).toBe(401)
    expect(await status(new AomiClient(server, randomUUID(), `${one}x`))).toBe(401)
    expect(await status(new AomiClient(server, randomUUID(), `${one}x`), 'default')).toBe(401)
    expect(await status(new AomiClient(server, randomUUID(), other))).toBe(403)
    const client = await made('one', one)
    expect(await status(new AomiClient(server, client.session, stranger))).toBe(404)
    expect((await client.state({}, { 'x-api-key': stranger })).status).toBe(404)
    expect((await client.state({}, { 'x-api-key': one })).status).toBe(200)
    expect((await client.state({}, { authorization: `Bearer ${one}` })).status).toBe(200)
  })

  it.each([
    ['off', 401, 401],
    ['read', 200, 403],
    ['full', 200, 200],
  ] as const)('the holder of an id where keyless is %s: state %i, interrupt %i', async (keyless, state, interrupt) => {
    const client = await made(`keyless-${keyless}`, await addKeyedApp(server, `keyless-${keyless}`, keyless))
    expect((await client.state()).status).toBe(state)
    expect((await client.interrupt()).status).toBe(interrupt)
    expect((await client.request('POST', '/api/chat', { message: 'x', app: `keyless-${keyless}` })).status).toBe(401)
  })

  it('a session of a user never answers to the holder of its id', async () => {
    const session = randomUUID()
    await addKeyedApp(server, 'users', 'full')
    const now = Date.now()
    const row = {
      id: session,
      app: 'users',
      account: 'acme',
      user: 'u1',
      status: 'idle' as const,
      createdAt: now,
      updatedAt: now,
    }
    await server.store.commit({ sessionId: session, session: row }, { giveUpAfterMs: 1000 })
    const client = new AomiClient(server, session)
    expect([(await client.state()).status, (await client.interrupt()).status]).toEqual([401, 401])
  })

  it('an id that can be guessed is no capability', async () => {
    const key = await addKeyedApp(server, 'guessable', 'full')
    const client = new AomiClient(server, '00000000-0000-0000-0000-000000000007', key)
    await snapshotOf(client.chat('hello', { app: 'guessable' }))
    expect((await client.state()).status).toBe(404)
    expect((await client.state({}, { 'x-api-key': key })).status).toBe(200)
  })

  it('a page uses a publishable key from its own origin only, and polls without', async () => {
    const key = await addKeyedApp(server, 'page', 'full', { kind: 'publishable', origins: [PAGE] })
    const client = await made('page', key, { origin: PAGE })
    expect((await client.state({}, { origin: PAGE })).status).toBe(200)
    expect((await client.chat('hello', { app: 'page' }, { origin: 'https://evil.example' })).status).toBe(403)
  })

  it('a key of the default App goes on with a session that nobody owns; one of another App does not', async () => {
    const client = new AomiClient(server)
    await snapshotOf(client.chat('hello'))
    const key = await addKeyedApp(server, 'default', 'full')
    const other = await addKeyedApp(server, 'another', 'full')
    const snapshot = await snapshotOf(new AomiClient(server, client.session, key).chat('hello again'))
    expect(snapshot.messages).toHaveLength(4)
    expect((await new AomiClient(server, client.session, other).chat('hello')).status).toBe(403)
    expect((await new AomiClient(server, client.session, other).chat('hello', { app: 'another' })).status).toBe(404)
    expect((await snapshotOf(client.chat('hello'))).messages).toHaveLength(6)
  })
})
