import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createAnthropic } from '../../../src/providers/anthropic.ts'
import { createScripted } from '../../../src/providers/scripted.ts'
import { AomiClient, addKeyedApp, snapshotOf } from '../../support/aomi-client.ts'
import { LiveServer } from '../../support/live-server.ts'
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts'

const OWN = '0x742d35Cc6634C0532925a3b844Bc9e7595f2bD68'
const OTHER = { address: '0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed', chain_id: 1, is_connected: true }
const SAID = JSON.stringify(OTHER)
const NOWHERE = 'http://127.0.0.1:9'

describe('what who only reads a session says of itself', () => {
  let database: TestDatabase
  let server: LiveServer

  beforeAll(async () => {
    database = await createTestDatabase()
    server = await LiveServer.start({
      transport: 'ws',
      database: database.connection,
      providers: [
        createScripted({ tokensPerSecond: 2000 }),
        createAnthropic({ apiKey: 'sk-ant-operator', baseURL: NOWHERE, maxConcurrent: 1 }),
      ],
    })
  })

  afterAll(async () => {
    await server.close()
    await database.drop()
  })

  /** Two who read sessions of an App of its own, each by the headers that it sends: without a key, and by one that only reads. */
  async function readersOf(app: string) {
    const key = await addKeyedApp(server, app, 'read')
    const reading = await addKeyedApp(server, app, 'read', { scopes: ['read'] })
    const readers: readonly Record<string, string>[] = [{}, { 'x-api-key': reading }]
    return { key, readers }
  }

  it('is given back to them, and binds no wallet with the owner’s next chat', async () => {
    const { key, readers } = await readersOf('wallets')
    for (const headers of readers) {
      const owner = new AomiClient(server, randomUUID(), key)
      await snapshotOf(owner.chat('hello', { app: 'wallets', public_key: OWN }))
      const told = await snapshotOf(new AomiClient(server, owner.session).state({ user_state: SAID }, headers))
      expect(told.user_state).toMatchObject(OTHER)
      expect((await snapshotOf(owner.state({}, { 'x-api-key': key }))).user_state).toMatchObject({ address: OWN })
      await snapshotOf(owner.chat('hello again', { app: 'wallets' }))
      const rows = await database.sql`select wallet from sessions where id = ${owner.session}`
      expect(rows[0]?.['wallet']).toMatchObject({ address: OWN })
    }
  })

  it('names no client that the owner’s provider key would go to', async () => {
    const { key, readers } = await readersOf('vaults')
    const own = { 'x-api-key': key, 'content-type': 'application/json' }
    const path = '/api/control/provider-keys'
    const body = JSON.stringify({ provider: 'anthropic', api_key: 'sk-ant-mine-hunter2' })
    for (const headers of readers) {
      const owner = new AomiClient(server, randomUUID(), key)
      await snapshotOf(owner.chat('hello', { app: 'vaults' }))
      const reader = new AomiClient(server, owner.session)
      await snapshotOf(reader.state({}, headers))
      expect((await owner.request('POST', path, {}, own, body)).status).toBe(200)
      const elsewhere = new AomiClient(server, randomUUID(), key)
      await snapshotOf(elsewhere.chat('hello', { app: 'vaults', client_id: reader.id }))
      expect(await (await elsewhere.request('GET', path, {}, own)).json()).toMatchObject({ provider_keys: [] })
    }
  })

  it('is part of what a cache keeps for them', async () => {
    const { key } = await readersOf('caches')
    const owner = new AomiClient(server, randomUUID(), key)
    await snapshotOf(owner.chat('hello', { app: 'caches' }))
    const reader = new AomiClient(server, owner.session)
    const tag = (await reader.state({ user_state: SAID })).headers.get('etag') ?? ''
    expect((await reader.state({ user_state: SAID }, { 'if-none-match': tag })).status).toBe(304)
    expect((await reader.state({ user_state: '{"ext":1}' }, { 'if-none-match': tag })).status).toBe(200)
    expect((await reader.state({}, { 'if-none-match': tag })).status).toBe(200)
  })
})
