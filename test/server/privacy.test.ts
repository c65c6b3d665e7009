import { randomUUID } from 'node:crypto'
import * as v from 'valibot'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { mintKey } from '../../src/access/keys.ts'
import { Log } from '../../src/log.ts'
import { offerProtocols } from '../../src/protocol/handshake.ts'
import { openPostgres, type PostgresStorage } from '../../src/storage/postgres.ts'
import { answered, message, run } from '../contracts/store-rows.ts'
import { SOON } from '../contracts/store-subject.ts'
import { Recorder } from '../storage/recorder.ts'
import { LiveServer } from '../support/live-server.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { SocketClient } from '../support/socket-client.ts'
import { deferred } from '../support/turns.ts'

const APP = 'shop'
const DAY = 86_400_000
/** Milliseconds in which every process has dropped what was deleted in another. */
const DROPPED_WITHIN_MS = 1000

let database: TestDatabase
let cli: PostgresStorage
let key: string
const servers: LiveServer[] = []
const lines: string[] = []

const place = (nth: number): LiveServer => {
  const server = servers[nth]
  if (server === undefined) throw new Error('no such server')
  return server
}

beforeAll(async () => {
  database = await createTestDatabase()
  const telemetry = new Log({ level: 'debug', destination: { write: (line) => void lines.push(line) } })
  for (const transport of ['ws', 'auto'] as const)
    servers.push(
      await LiveServer.start({
        transport,
        database: database.connection,
        retentionMs: 300,
        chat: { titles: true, checkpointMs: 20 },
        telemetry,
      }),
    )
  cli = await openPostgres({ connection: database.connection, telemetry: new Recorder(), visitor: true })
  const definition = { id: APP, name: 'Shop', preamble: '', model: { default: 'scripted/demo' }, tools: ['calculator'] }
  await cli.putApp({ id: APP, definition, updatedAt: 1 })
  const minted = await mintKey('secret')
  const { id, kind, hash } = minted
  const scopes = ['read', 'write', 'delete'] as const
  await cli.createKey({
    id,
    kind,
    hash,
    account: 'acme',
    apps: [APP],
    scopes,
    origins: [],
    addresses: [],
    createdAt: 1,
  })
  key = minted.key
})
afterAll(async () => {
  await cli.close()
  await Promise.all(servers.map((server) => server.close()))
  await database.drop()
})

function ask(server: LiveServer, method: string, path: string, body?: object): Promise<Response> {
  return fetch(`http://127.0.0.1:${server.port}${path}`, {
    method,
    headers: { 'x-api-key': key, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
}

const Ticket = v.object({ ticket: v.string() })

/** A user's page on one of the servers, by a ticket. */
async function open(server: LiveServer, user: string, session: string = randomUUID()) {
  const minted = await ask(server, 'POST', `/v1/tickets?app=${APP}`, { session, user })
  const { ticket } = v.parse(Ticket, await minted.json())
  const protocols = offerProtocols(session, { kind: 'ticket', ticket })
  const socket = await SocketClient.connect(`ws://127.0.0.1:${server.port}/ws?app=${APP}`, { protocols })
  const until = async (text: string): Promise<string> => {
    for (;;) {
      const frame = await socket.next()
      if (frame.includes(text)) return frame
    }
  }
  await until('session.ready')
  const say = async (content: string) => {
    socket.sendJson({ type: 'message.send', clientMessageId: randomUUID(), content })
    await until('"RUN_STARTED"')
  }
  return { session, socket, until, say }
}

describe('a user who is deleted', () => {
  it('I10: is closed with 4404 in every process, whatever is on, and has nothing left; others go on', async () => {
    const user = `ann-${randomUUID()}`
    const [here, there, bob] = [await open(place(0), user), await open(place(1), user), await open(place(1), 'bob')]
    const quiet = answered({ app: APP, account: 'acme', user })
    await cli.commit(quiet, SOON)
    for (const page of [here, there, bob]) await page.say('count to 1000')
    const startedAt = performance.now()
    const done = await ask(place(0), 'DELETE', `/v1/users/${user}?app=${APP}`)
    expect([done.status, await done.json()]).toEqual([200, { deleted: 3, complete: true }])
    for (const { socket } of [here, there])
      expect(await socket.closed).toEqual({ code: 4404, reason: 'session_not_found' })
    expect(performance.now() - startedAt).toBeLessThan(DROPPED_WITHIN_MS * 3)
    for (const { session } of [here, there]) expect(await cli.load(session)).toBeUndefined()
    expect(await cli.load(quiet.sessionId)).toBeUndefined()
    expect(await cli.load(bob.session)).toBeDefined()
    await ask(place(1), 'DELETE', `/v1/users/bob?app=${APP}`)
    for (const { session } of [here, there, bob]) expect(await cli.load(session)).toBeUndefined()
    const again = await ask(place(0), 'DELETE', `/v1/users/${user}?app=${APP}`)
    expect(await again.json()).toEqual({ deleted: 0, complete: true })
  })

  it('by the command line is closed in every process', async () => {
    const pages = [await open(place(0), 'carl'), await open(place(1), 'carl')]
    for (const page of pages) await page.say('count to 1000')
    for (const { session } of pages) await cli.delete(session)
    for (const { socket } of pages) expect(await socket.closed).toMatchObject({ code: 4404 })
    for (const { session } of pages) expect(await cli.load(session)).toBeUndefined()
  })

  it.each(['/v1/users/%00', '/v1/users/%0A', `/v1/users/${'x'.repeat(201)}`])('is refused as %s', async (path) => {
    expect((await ask(place(0), 'DELETE', `${path}?app=${APP}`)).status).toBe(400)
    expect((await ask(place(0), 'GET', `/v1/users/ann?app=${APP}`)).status).toBe(405)
  })
})

describe.each([0, 1])('an export by HTTP, on transport %i', (nth) => {
  const path = (id: string, more = '') => `/v1/sessions/${id}/export?app=${APP}${more}`

  it('I10: is a session as JSON Lines, for its owner only', async () => {
    const write = answered({ app: APP, account: 'acme', user: 'ann' })
    await cli.commit(write, SOON)
    const answer = await ask(place(nth), 'GET', path(write.sessionId, '&user=ann'))
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'content-type': 'application/jsonl; charset=utf-8',
      'content-disposition': `attachment; filename="${write.sessionId}.jsonl"`,
      'cache-control': 'no-store',
    })
    const told = (await answer.text())
      .trimEnd()
      .split('\n')
      .map((line): unknown => JSON.parse(line))
    expect(told).toMatchObject([
      { type: 'session', format: 1, id: write.sessionId, user: 'ann' },
      { type: 'run', id: 'r1' },
      { type: 'message', role: 'user', content: 'text r1-0' },
      { type: 'message', role: 'assistant' },
      { type: 'end', sessions: 1, runs: 1, messages: 2 },
    ])
    for (const other of ['', '&user=bob'])
      expect((await ask(place(nth), 'GET', path(write.sessionId, other))).status).toBe(404)
    expect((await ask(place(nth), 'GET', path(randomUUID()))).status).toBe(404)
    expect((await ask(place(nth), 'POST', path(write.sessionId))).status).toBe(405)
    const head = await ask(place(nth), 'HEAD', path(write.sessionId, '&user=ann'))
    expect([head.status, await head.text()]).toEqual([200, ''])
  })

  it('is whole when it is long, and lets its connection go whether it is read or left', async () => {
    const write = answered({ app: APP, account: 'acme' })
    const first = run(write.sessionId, 'r1', { position: 1 })
    const content = 'x'.repeat(30_000)
    const messages = Array.from({ length: 200 }, (_, index) => message(first, index, { content }))
    await cli.commit({ ...write, messages }, SOON)
    const text = await (await ask(place(nth), 'GET', path(write.sessionId))).text()
    expect(text.trimEnd().split('\n').at(-1)).toBe('{"type":"end","sessions":1,"runs":1,"messages":200}')
    // More of them than may be read at once, one after the other: each gives its place back.
    for (let times = 0; times < 9; times++) {
      const left = await ask(place(nth), 'GET', path(write.sessionId))
      expect(left.status).toBe(200)
      await left.body?.cancel()
    }
    const reading = async () => {
      const [row] = await database.sql<{ count: number }[]>`
        select count(*)::integer as count from pg_stat_activity
        where datname = current_database() and state = 'idle in transaction'`
      return row?.count
    }
    await expect.poll(reading, { timeout: 5000 }).toBe(0)
  }, 30_000)
})

it('a server applies the retention of its Apps by itself', async () => {
  const app = 'brief'
  const definition = {
    id: app,
    name: 'Brief',
    preamble: '',
    model: { default: 'scripted/demo' },
    retention: { days: 7 },
  }
  const [old, young] = [8, 6].map((days) => answered({ app, updatedAt: Date.now() - days * DAY }))
  if (old === undefined || young === undefined) throw new Error('two were made')
  await cli.commit(old, SOON)
  await cli.commit(young, SOON)
  await cli.putApp({ id: app, definition, updatedAt: 1 })
  await expect.poll(() => cli.load(old.sessionId), { timeout: 5000 }).toBeUndefined()
  expect(await cli.load(young.sessionId)).toBeDefined()
  await expect.poll(() => lines.some((line) => line.includes('"retention applied"') && line.includes(app))).toBe(true)
})

it('I12: a shutdown tells its clients at once, also while retention removes something', async () => {
  const server = await LiveServer.start({ transport: 'ws', database: database.connection, retentionMs: 20 })
  const definition = { id: 'late', name: 'Late', preamble: '', model: { default: 'scripted/demo' } }
  await cli.putApp({ id: 'late', definition: { ...definition, retention: { days: 7 } }, updatedAt: 1 })
  const removing = deferred<undefined>()
  const alone = vi.spyOn(server.store, 'alone').mockReturnValue(removing.promise)
  await expect.poll(() => alone.mock.calls.length).toBe(1)
  const client = await server.connect()
  const closed = server.close()
  await client.control('server.draining')
  let isClosed = false
  void closed.then(() => (isClosed = true))
  await client.socket.closed
  expect(isClosed).toBe(false)
  removing.resolve(undefined)
  await closed
})

it('I11: nothing that people say or are called reaches the log, at any level', async () => {
  const marks = ['SAID-7f3a', 'TITLE-7f3a', '0xWALLET7f3a', 'USER-7f3a', 'KEPT-7f3a', '7354']
  const [said, title, address, user, kept] = marks
  const from = lines.length
  const page = await open(place(0), `${user}`)
  await page.say(`${said} count to 3`)
  await page.until('"RUN_FINISHED"')
  page.socket.sendJson({ type: 'session.update', id: 'u', title, wallet: { address, chain: '1' } })
  await page.until('"ref":"u"')
  // A tool's call and its result; a bad frame; a conflict; a send that waits and one that is stopped.
  await page.say('what is 7350 + 4')
  page.socket.sendJson({ type: 'message.send', id: 'c', clientMessageId: 'same', content: `${said} one` })
  page.socket.sendJson({ type: 'message.send', id: 'd', clientMessageId: 'same', content: `${said} other` })
  await page.until('"ref":"d"')
  page.socket.sendJson({ type: `${said}`, content: said })
  await page.until('bad_frame')
  page.socket.sendJson({ type: 'run.cancel', id: 'e', all: true })
  await page.until('"ref":"e"')
  // What the store refuses, and a write that comes late.
  const write = answered({ app: APP, account: 'acme', user: `${user}`, title: `${title}` })
  await place(0).store.commit(write, SOON)
  const taken = { ...write, session: { ...write.session, user: `${kept}` } }
  await expect(place(0).store.commit(taken, SOON)).rejects.toMatchObject({ code: 'conflict' })
  await ask(place(1), 'PATCH', `/v1/sessions/${page.session}?app=${APP}&user=${user}`, { title: `${title} more` })
  await (await ask(place(1), 'GET', `/v1/sessions/${page.session}/export?app=${APP}&user=${user}`)).text()
  await ask(place(1), 'GET', `/v1/sessions?app=${APP}&user=${user}`)
  expect((await ask(place(1), 'DELETE', `/v1/users/${user}?app=${APP}`)).status).toBe(200)
  await page.socket.closed
  const written = lines.slice(from)
  expect(written.length).toBeGreaterThan(0)
  for (const mark of marks) expect(written.filter((line) => line.includes(mark))).toEqual([])
  for (const id of [page.session, write.sessionId]) expect(written.join('')).not.toContain(id)
})
