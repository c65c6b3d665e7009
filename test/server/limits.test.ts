import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { AomiClient } from '../support/aomi-client.ts'
import { KeyedApp, type KeyedClient } from '../support/keyed-app.ts'
import { LiveServer } from '../support/live-server.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { HandshakeRefused } from '../support/socket-client.ts'
import { TRANSPORTS } from '../support/transports.ts'

const DAY = 86_400_000
const OVER = { type: 'error', code: 'rate_limit_exceeded', retryable: true, retryAfterMs: expect.any(Number) }
/** An answer that never comes. */
const LONG = 'stall'
const ACCESS = { connectionsPerKey: 3, connectionsPerApp: 5, appRunsAtOnce: 4, accountRunsAtOnce: 3 }
/** Tries of something that may leave a place taken behind it. */
const ROUNDS = 4

describe.each(TRANSPORTS)('limits of keys, Apps and accounts over %s', (transport) => {
  let database: TestDatabase
  let server: LiveServer
  const start = () => LiveServer.start({ transport, database: database.connection, access: ACCESS })

  beforeAll(async () => {
    database = await createTestDatabase()
    server = await start()
  })
  afterAll(async () => {
    await server.close()
    await database.drop()
  })

  /** By plain HTTP, with when to come back (P-22). */
  async function expectShut(app: KeyedApp): Promise<void> {
    const refused = await app.connect().then(
      () => new Error('was let in'),
      (thrown: unknown) => thrown,
    )
    if (!(refused instanceof HandshakeRefused)) throw refused
    expect(refused.status).toBe(429)
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0)
    expect(JSON.parse(refused.body)).toMatchObject({ error: { code: 'rate_limit_exceeded', retry_after: 2 } })
  }

  it('P-20: connections of one key, and of one App by all of its keys; each that closes, in whatever way, makes room', async () => {
    const one = await KeyedApp.make(server)
    const other = await one.withKey()
    const held = [await one.connect(), await one.connect(), await one.connect()]
    await expectShut(one)
    held.push(await other.connect(), await other.connect())
    await expectShut(other)
    for (let round = 0; round < ROUNDS; round++) {
      const leaving = held.shift()
      if (round % 2 === 0) await leaving?.socket.close()
      else leaving?.socket.terminate()
      const key = round < 3 ? one : other
      await expect.poll(() => key.connect().then((client) => held.push(client), String), { timeout: 5000 }).toBe(5)
      await expectShut(one)
      await expectShut(other)
    }
    await Promise.all(held.map(({ socket }) => socket.close()))
    await expect.poll(() => one.connect().then(() => 'in', String), { timeout: 5000 }).toBe('in')
  })

  it('P-20: connections of an App by its definition; its streams of events by HTTP are among them', async () => {
    const app = await KeyedApp.make(server, { limits: { connections: 1 } })
    const client = await app.connect()
    await client.send('hello')
    await client.end()
    const aomi = new AomiClient(server, client.session)
    const updates = (signal?: AbortSignal) =>
      fetch(`http://127.0.0.1:${server.port}/api/updates?session_id=${aomi.session}`, {
        headers: { 'x-api-key': app.key.key },
        signal: signal ?? null,
      })
    const refused = await updates()
    expect([refused.status, Number(refused.headers.get('retry-after'))]).toEqual([429, 2])
    await client.socket.close()
    for (let round = 0; round < ROUNDS; round++) {
      const cut = new AbortController()
      await expect.poll(async () => (await updates(cut.signal)).status, { timeout: 5000 }).toBe(200)
      await expectShut(app)
      cut.abort()
    }
    await expect.poll(() => app.connect().then(() => 'in', String), { timeout: 5000 }).toBe('in')
  })

  it('P-87: connections of one session by its App, of which the oldest goes', async () => {
    const app = await KeyedApp.make(server, { limits: { connectionsPerSession: 1 } })
    const session = randomUUID()
    const first = await app.connect(session)
    const second = await app.connect(session)
    expect((await first.socket.closed).code).toBe(4409)
    expect(await second.send('hello')).toMatchObject({ type: 'ack' })
    await second.socket.close()
  })

  it('P-52: sends that wait in one session by its App, which session.ready tells', async () => {
    const app = await KeyedApp.make(server, { limits: { queuedSends: 1 } })
    const client = await app.connect()
    expect(client.socket.frames[0]).toContain('"queuedSends":1')
    await client.send(LONG)
    expect(await client.send('waits')).toMatchObject({ state: 'queued' })
    expect(await client.send('too many')).toMatchObject({ code: 'queue_full' })
    const aomi = new AomiClient(server, client.session, app.key.key)
    expect((await aomi.chat('too many', { app: app.id })).status).toBe(429)
    await client.command('run.cancel', { all: true })
    await client.socket.close()
  })

  /** Ways in which a run ends: each is begun by `say` and ended by `end`, if it does not end by itself. */
  const ENDS: Readonly<
    Record<string, readonly [say: string, end?: (client: KeyedClient, app: KeyedApp) => Promise<unknown>]>
  > = {
    answered: ['hello'],
    failed: ['fail'],
    stopped: [LONG, (client) => client.command('run.cancel')],
    deleted: [LONG, (client, app) => app.fetch(`/v1/sessions/${client.session}?app=${app.id}`, { method: 'DELETE' })],
    retried: [
      'hello',
      async (client) => {
        const { chunk } = await client.end()
        await client.command('run.retry', { runId: chunk?.['runId'] })
      },
    ],
  }

  it.each(Object.keys(ENDS))('P-50: answers of one App at once: one that is %s makes room', async (way) => {
    const app = await KeyedApp.make(server, { limits: { runsAtOnce: 1 } })
    const [say, end] = ENDS[way] ?? ['']
    for (let round = 0; round < ROUNDS; round++) {
      const client = await app.connect()
      await expect.poll(() => client.send(say), { timeout: 5000 }).toMatchObject({ state: 'started' })
      await end?.(client, app)
      client.socket.terminate()
    }
    const [one, other] = [await app.connect(), await app.connect()]
    await expect.poll(() => one.send(LONG), { timeout: 5000 }).toMatchObject({ state: 'started' })
    expect(await other.send('hello')).toMatchObject({ ...OVER, retryAfterMs: 2000 })
    const refused = await new AomiClient(server, randomUUID(), app.key.key).chat('hello', { app: app.id })
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '2'])
    expect(await one.send('may wait')).toMatchObject({ state: 'queued' })
    await one.command('run.cancel', { all: true })
    await Promise.all([one, other].map(({ socket }) => socket.close()))
  })

  it('P-50: answers of one account at once, over its Apps', async () => {
    const account = `account-${randomUUID()}`
    const first = await KeyedApp.make(server, { over: { account } })
    const second = await KeyedApp.make(server, { over: { account } })
    const clients: KeyedClient[] = []
    for (const app of [first, second, first, second]) clients.push(await app.connect())
    const said = [await clients[0]?.send(LONG), await clients[1]?.send(LONG), await clients[2]?.send(LONG)]
    expect(said).toMatchObject(said.map(() => ({ state: 'started' })))
    expect(await clients[3]?.send('hello')).toMatchObject(OVER)
    const stranger = await (await first.withKey({ account: `${account}-2` })).connect()
    expect(await stranger.send('hello')).toMatchObject({ state: 'started' })
    await clients[0]?.command('run.cancel')
    await expect.poll(() => clients[3]?.send('hello'), { timeout: 5000 }).toMatchObject({ state: 'started' })
    for (const client of clients) await client.command('run.cancel')
    await Promise.all([...clients, stranger].map(({ socket }) => socket.close()))
  })

  it('P-50: a send that waits for a place among the answers of its App starts once there is one', async () => {
    const app = await KeyedApp.make(server, { limits: { runsAtOnce: 1 } })
    const client = await app.connect()
    await client.send('count from 0 to 20')
    await client.send('hello')
    await client.end()
    expect(await client.end()).toMatchObject({ chunk: { type: 'RUN_FINISHED' } })
    await client.socket.close()
  })

  it('P-50: tokens of an App a day: refused until midnight UTC, by HTTP as well, also after a restart', async () => {
    const app = await KeyedApp.make(server, { limits: { tokensPerDay: 20 } })
    const client = await app.connect()
    expect(await client.send('count from 0 to 50')).toMatchObject({ state: 'started' })
    expect(await client.send('waits')).toMatchObject({ state: 'queued' })
    await client.end()
    const refusedOn = async (other: KeyedApp) => {
      const peer = await other.connect()
      const refused = await peer.send('hello')
      expect(refused).toMatchObject({ ...OVER, message: 'This App has used up its tokens for today' })
      const left = DAY - (Date.now() % DAY)
      expect(Math.abs(Number(refused['retryAfterMs']) - left)).toBeLessThan(5000)
      await peer.socket.close()
    }
    await refusedOn(app)
    const answer = await new AomiClient(server, randomUUID(), app.key.key).chat('hello', { app: app.id })
    expect(answer.status).toBe(429)
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
    // Another App goes on.
    const neighbour = await (await KeyedApp.make(server)).connect()
    expect(await neighbour.send('hello')).toMatchObject({ state: 'started' })
    await neighbour.end()
    await server.close()
    server = await start()
    await refusedOn(app.on(server))
  })
})
