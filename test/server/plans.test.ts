import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { mintKey } from '../../src/access/keys.ts'
import { AomiClient } from '../support/aomi-client.ts'
import { KeyedApp } from '../support/keyed-app.ts'
import { LiveServer } from '../support/live-server.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { TRANSPORTS } from '../support/transports.ts'

const PLANS = new Map([
  ['tiny', { perHour: 100, perMinute: 3 }],
  ['slow', { perHour: 2, perMinute: 100 }],
])
const MINUTE = 60_000
const HOUR = 3_600_000

function numbers({ headers }: Response): Record<string, number> {
  const of = (name: string) => Number(headers.get(`x-ratelimit-${name}`))
  return { limit: of('limit'), remaining: of('remaining'), reset: of('reset') }
}

describe.each(TRANSPORTS)('plans of accounts over %s', (transport) => {
  let database: TestDatabase
  let server: LiveServer

  beforeAll(async () => {
    database = await createTestDatabase()
    const access = { plans: PLANS, defaultPlan: 'none' }
    server = await LiveServer.start({ transport, database: database.connection, access })
  })
  afterAll(async () => {
    await server.close()
    await database.drop()
  })

  async function appOn(plan: string): Promise<KeyedApp> {
    const app = await KeyedApp.make(server)
    expect(await server.store.setPlan(app.id, plan)).toBe(true)
    return app
  }

  it('P-88: a socket is told of each send where it stands, and refused above the plan; the connection lives', async () => {
    const app = await appOn('tiny')
    const client = await app.connect()
    for (const remaining of [2, 1, 0]) {
      expect(await client.send('hello')).toMatchObject({ type: 'ack', state: 'started' })
      expect(await client.rateLimit()).toMatchObject({ name: 'minute', limit: 3, remaining })
      await client.end()
    }
    const known = randomUUID()
    const refused = await client.send('hello', known)
    expect(refused).toMatchObject({ type: 'error', code: 'rate_limit_exceeded', retryable: true })
    expect(refused['retryAfterMs']).toBeGreaterThan(0)
    expect(refused['retryAfterMs']).toBeLessThanOrEqual(MINUTE)
    expect(await client.rateLimit()).toMatchObject({ name: 'minute', remaining: 0 })
    expect(await client.command('session.update', { title: 'Mine' })).toMatchObject({ code: 'rate_limit_exceeded' })
    expect(await client.command('history.get')).toMatchObject({ type: 'ack' })
    expect(await client.command('run.cancel')).toMatchObject({ type: 'ack', state: 'noop' })
    await client.socket.close()
  })

  it('P-51, P-88: a send that is known does not count', async () => {
    const app = await appOn('tiny')
    const client = await app.connect()
    const id = randomUUID()
    await client.send('hello', id)
    await client.end()
    for (let again = 0; again < 5; again++)
      expect(await client.send('hello', id)).toMatchObject({ type: 'ack', duplicate: true })
    expect(await client.send('and another')).toMatchObject({ type: 'ack', duplicate: false })
    expect(await client.rateLimit()).toMatchObject({ remaining: 1 })
    await client.socket.close()
  })

  it('P-89: HTTP says it on every answer, counts what changes something, and refuses with Retry-After', async () => {
    const app = await appOn('slow')
    const list = () => app.fetch(`/v1/sessions?app=${app.id}`)
    const mint = () => {
      const body = JSON.stringify({ session: randomUUID(), user: 'ann' })
      return app.fetch(`/v1/tickets?app=${app.id}`, { method: 'POST', body })
    }
    for (let count = 0; count < 3; count++) expect(numbers(await list())).toMatchObject({ limit: 2, remaining: 2 })
    const minted = await mint()
    expect([minted.status, numbers(minted)]).toMatchObject([201, { limit: 2, remaining: 1 }])
    expect(numbers(minted)['reset']).toBeGreaterThan(Date.now() / 1000)
    expect(numbers(minted)['reset']).toBeLessThanOrEqual(Math.ceil((Date.now() + HOUR) / 1000))
    expect((await mint()).status).toBe(201)
    const refused = await mint()
    expect([refused.status, numbers(refused)]).toMatchObject([429, { limit: 2, remaining: 0 }])
    const wait = Number(refused.headers.get('retry-after'))
    expect(wait).toBeGreaterThan(3000)
    expect(await refused.json()).toEqual({
      error: {
        code: 'rate_limit_exceeded',
        message: 'Rate limit exceeded. Please try again later.',
        retry_after: wait,
      },
    })
    const test = await app.fetch('/v1/auth/test')
    expect(await test.json()).toMatchObject({ rate_limit: { limit: 2, remaining: 0, reset: numbers(test)['reset'] } })
    expect((await list()).status).toBe(200)
    const rename = await app.fetch(`/v1/sessions/${randomUUID()}?app=${app.id}`, {
      method: 'PATCH',
      body: '{"title":"x"}',
    })
    expect(rename.status).toBe(429)
  })

  it('P-88: clients of Aomi are charged for a chat once, for polls and stops not at all', async () => {
    const app = await appOn('tiny')
    const client = new AomiClient(server, randomUUID(), app.key.key)
    const key = { 'x-api-key': app.key.key }
    const chats = [await client.chat('hello', { app: app.id })]
    await expect.poll(async () => (await client.state({}, key)).json()).toMatchObject({ is_processing: false })
    expect(numbers(chats[0] ?? Response.error())).toMatchObject({ limit: 3, remaining: 2 })
    for (let poll = 0; poll < 10; poll++) expect((await client.state({}, key)).status).toBe(200)
    for (let stop = 0; stop < 5; stop++)
      expect((await client.request('POST', '/api/interrupt', {}, key)).status).toBe(200)
    const archived = await client.request('POST', `/api/sessions/${client.session}/archive`, {}, key)
    expect([archived.status, numbers(archived)]).toMatchObject([200, { remaining: 1 }])
    expect((await client.chat('again', { app: app.id })).status).toBe(200)
    const refused = await client.chat('too much', { app: app.id })
    expect(refused.status).toBe(429)
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    expect((await client.state({}, key)).status).toBe(200)
  })

  it('an account without a plan is told nothing and refused nothing; one that is given a plan goes by it within a second', async () => {
    const app = await KeyedApp.make(server)
    const client = await app.connect()
    for (let count = 0; count < 5; count++) {
      await client.send('hello')
      await client.end()
    }
    expect(client.socket.frames.some((text) => text.includes('"rate_limit"'))).toBe(false)
    expect((await app.fetch(`/v1/sessions?app=${app.id}`)).headers.has('x-ratelimit-limit')).toBe(false)
    await server.store.setPlan(app.id, 'tiny')
    await expect
      .poll(async () => numbers(await app.fetch(`/v1/sessions?app=${app.id}`))['limit'], { timeout: 1500 })
      .toBe(3)
    await client.socket.close()
  })

  it('a plan that the operator gives over HTTP holds within a second, also for who is connected', async () => {
    const app = await KeyedApp.make(server)
    const { key, id, hash } = await mintKey('secret')
    const facts = { account: 'default', apps: [], scopes: ['operator'], origins: [], addresses: [] } as const
    await server.store.createKey({ ...facts, id, hash, kind: 'secret', createdAt: Date.now() })
    const given = await fetch(`http://127.0.0.1:${server.port}/v1/admin/accounts/${app.id}`, {
      method: 'PATCH',
      headers: { 'x-api-key': key, 'content-type': 'application/json' },
      body: JSON.stringify({ plan: 'tiny' }),
    })
    expect([given.status, await given.json()]).toMatchObject([200, { id: app.id, plan: 'tiny' }])
    await expect
      .poll(async () => numbers(await app.fetch(`/v1/sessions?app=${app.id}`))['limit'], { timeout: 1500 })
      .toBe(3)
  })
})
