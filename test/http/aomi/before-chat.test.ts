import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { AomiClient, addKeyedApp, snapshotOf } from '../../support/aomi-client.ts'
import { LiveServer } from '../../support/live-server.ts'
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts'

const STATE = { user_state: '{"ext":"mine"}' }
const CHANGE = JSON.stringify({ type: 'wallet:state_changed', payload: { ens_name: 'ann.eth' } })

describe('what is left for a session before its first chat', () => {
  let database: TestDatabase
  let open: LiveServer
  let shut: LiveServer

  beforeAll(async () => {
    database = await createTestDatabase()
    open = await LiveServer.start({ transport: 'ws', database: database.connection })
    const access = { defaultApp: false }
    shut = await LiveServer.start({ transport: 'ws', database: database.connection, access })
  })

  afterAll(async () => {
    await Promise.all([open.close(), shut.close()])
    await database.drop()
  })

  const leave = (client: AomiClient, headers = {}, message = CHANGE) =>
    client.request('POST', '/api/system', { message }, headers)
  const kept = async (client: AomiClient) => (await snapshotOf(client.state())).user_state

  it('is kept of who could chat with it', async () => {
    const client = new AomiClient(open)
    expect((await snapshotOf(client.state(STATE))).user_state).toMatchObject({ ext: 'mine' })
    expect((await leave(client)).status).toBe(200)
    expect(await kept(client)).toMatchObject({ ext: 'mine', ens_name: 'ann.eth' })
    const keyed = new AomiClient(shut)
    const key = await addKeyedApp(shut, 'early', 'full')
    expect((await leave(keyed, { 'x-api-key': key })).status).toBe(200)
    expect(await kept(keyed)).toMatchObject({ ens_name: 'ann.eth' })
  })

  it('is not kept of who could not, who is not refused either: the key may come with the chat', async () => {
    const evil = { origin: 'https://evil.example' }
    const reading = { 'x-api-key': await addKeyedApp(shut, 'early-reader', 'full', { scopes: ['read'] }) }
    for (const [server, headers] of [
      [shut, {}],
      [open, evil],
      [shut, reading],
    ] as const) {
      const client = new AomiClient(server)
      expect((await snapshotOf(client.state(STATE, headers))).user_state).toMatchObject({ ext: 'mine' })
      expect((await leave(client, headers)).status).toBe(200)
      const left = await kept(client)
      expect([left['ext'], left['ens_name']]).toEqual([undefined, undefined])
    }
    const guessed = new AomiClient(open, '00000000-0000-0000-0000-000000000009')
    expect((await leave(guessed)).status).toBe(200)
    expect((await kept(guessed))['ens_name']).toBeUndefined()
    expect((await leave(new AomiClient(open), { 'x-api-key': 'sk_live_wrong' })).status).toBe(401)
  })

  it('without a key counts as a run of its address', async () => {
    const forwarded = { 'x-forwarded-for': '203.0.113.9' }
    const statuses = []
    for (let count = 0; count < 11; count++)
      statuses.push((await leave(new AomiClient(open, randomUUID()), forwarded, 'a note')).status)
    expect(statuses).toEqual([...statuses.slice(0, 10).map(() => 200), 429])
  })
})
