import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { aomiRouteNames } from '../../../src/http/aomi/routes.ts'
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

  /** Every request of the contract that names a session that exists: method, path, and the status of `off`, `read` and `full`. */
  const CELLS: readonly (readonly [string, string, readonly [number, number, number]])[] = [
    ['GET', '/api/state', [401, 200, 200]],
    ['GET', '/api/updates', [401, 200, 200]],
    ['GET', '/api/events', [401, 200, 200]],
    ['GET', '/api/control/models', [401, 200, 200]],
    ['GET', '/api/sessions/{id}', [401, 200, 200]],
    ['POST', '/api/sessions', [401, 200, 200]],
    ['POST', '/api/interrupt', [401, 403, 200]],
    ['POST', '/api/system?message=x', [401, 403, 200]],
    ['PATCH', '/api/sessions/{id}', [401, 403, 200]],
    ['POST', '/api/sessions/{id}/archive', [401, 403, 200]],
    ['POST', '/api/sessions/{id}/unarchive', [401, 403, 200]],
    ['POST', '/api/control/model?rig=scripted/demo', [401, 403, 200]],
    ['GET', '/api/control/provider-keys', [401, 401, 401]],
    ['DELETE', '/api/control/provider-keys/anthropic', [401, 401, 401]],
    ['DELETE', '/api/sessions/{id}', [401, 403, 403]],
  ]

  /** Those that name no session, or are no capability of who holds its id: what they ask for stands in the tests named here. */
  const ELSEWHERE: Readonly<Record<string, string>> = {
    'POST /api/chat': 'below, in each column: 401',
    'GET /api/sessions': 'sessions.test.ts',
    'GET /api/control/apps': 'state.test.ts',
    'GET /api/control/namespaces': 'state.test.ts',
    'GET /api/session/apps': 'state.test.ts',
    'POST /api/control/provider-keys': 'secrets.test.ts',
    'POST /api/simulate': 'simulate.test.ts',
    'POST /api/wallet/challenge': 'wallet-proof.test.ts',
    'POST /api/wallet/bind': 'wallet-proof.test.ts',
    'POST /api/secrets': 'secrets.test.ts',
    'DELETE /api/secrets': 'secrets.test.ts',
    'DELETE /api/secrets/:name': 'secrets.test.ts',
    'POST /api/memory-mode': 'not served',
    'GET /health': 'open to all',
  }
  /** Later generations' names of the same handlers. */
  const ALIAS = /\/api\/(?:session|thread|threads)(?:\/|$)/
  const FIRST_OF_ALIASES = new Set(['GET /api/session/apps'])

  it('every request that is served has its cell', () => {
    const named = (name: string) =>
      name.replace('{id}', ':id').replace('provider-keys/anthropic', 'provider-keys/:provider')
    const cells = CELLS.map(([method, path]) => named(`${method} ${path.split('?')[0]}`))
    const served = aomiRouteNames().filter((name) => FIRST_OF_ALIASES.has(name) || !ALIAS.test(name))
    expect([...cells, ...Object.keys(ELSEWHERE)].sort()).toEqual([...served].sort())
  })

  /** The statuses that `client` gets without a key, in the order of the cells. */
  async function statusesOf(client: AomiClient): Promise<number[]> {
    const statuses: number[] = []
    for (const [method, path] of CELLS) {
      const [name = '', query = ''] = path.replace('{id}', client.session).split('?')
      const body = method === 'PATCH' ? JSON.stringify({ title: 'Named' }) : undefined
      const headers: Record<string, string> = body === undefined ? {} : { 'content-type': 'application/json' }
      const asked = Object.fromEntries(new URLSearchParams(query))
      const answer = await client.request(method, name, asked, headers, body)
      await answer.body?.cancel()
      statuses.push(answer.status)
    }
    return statuses
  }

  it.each(['off', 'read', 'full'] as const)('the holder of an id where keyless is %s', async (keyless) => {
    const app = `keyless-${keyless}`
    const client = await made(app, await addKeyedApp(server, app, keyless))
    const column = ['off', 'read', 'full'].indexOf(keyless)
    expect(await statusesOf(client)).toEqual(CELLS.map(([, , statuses]) => statuses[column]))
    expect((await client.request('POST', '/api/chat', { message: 'x', app })).status).toBe(401)
  })

  it('a visitor of the default App does all in the session that it made', async () => {
    const client = new AomiClient(server)
    await snapshotOf(client.chat('hello'))
    expect(await statusesOf(client)).toEqual(CELLS.map(() => 200))
  })

  it('without a key nobody fills the store: sessions and chats of an address count together', async () => {
    const forwarded = { 'x-forwarded-for': '203.0.113.9' }
    const make = async () => {
      const answer = await new AomiClient(server).request('POST', '/api/sessions', {}, forwarded)
      return [answer.status, answer.headers.has('retry-after')]
    }
    const answers = []
    for (let count = 0; count < 11; count++) answers.push(await make())
    expect(answers.slice(0, 10)).toEqual(answers.slice(0, 10).map(() => [200, false]))
    expect(answers[10]).toEqual([429, true])
    const client = new AomiClient(server)
    const wallet = JSON.stringify({ address: '0xabc', is_connected: true })
    expect((await client.chat('hello', { user_state: wallet }, forwarded)).status).toBe(429)
    const choice = { rig: 'scripted/demo' }
    expect((await client.request('POST', '/api/control/model', choice, forwarded)).status).toBe(429)
    expect(await database.sql`select from sessions where id = ${client.session}`).toHaveLength(0)
    expect((await client.state({}, forwarded)).status).toBe(200)
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
    expect(await statusesOf(client)).toEqual(CELLS.map(() => 401))
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
