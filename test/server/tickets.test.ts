import { randomUUID } from 'node:crypto'
import * as v from 'valibot'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createParleyClient } from '../../clients/core/client.ts'
import { type MintedKey, mintKey } from '../../src/access/keys.ts'
import type { ControlFrame } from '../../src/protocol/frames.ts'
import { offerProtocols } from '../../src/protocol/handshake.ts'
import { LiveServer } from '../support/live-server.ts'
import { nodeEnvironment } from '../support/node-environment.ts'
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts'
import { SocketClient } from '../support/socket-client.ts'

/** Within this a key's connections close (I9). */
const REVOKED_WITHIN_MS = 1000
const APP = 'shop'
const TicketBody = v.object({ ticket: v.string() })

let database: TestDatabase
const servers: LiveServer[] = []
let key: MintedKey

const place = (nth: number): LiveServer => {
  const server = servers[nth]
  if (server === undefined) throw new Error('no such server')
  return server
}

async function makeKey(scopes: readonly ('read' | 'write' | 'delete')[] = ['read', 'write', 'delete']) {
  const minted = await mintKey('secret')
  const { id, kind, hash } = minted
  const row = {
    id,
    kind,
    hash,
    account: 'acme',
    apps: [APP],
    scopes,
    origins: [],
    addresses: [],
    createdAt: Date.now(),
  }
  await place(0).store.createKey(row)
  return minted
}

beforeAll(async () => {
  database = await createTestDatabase()
  for (const transport of ['ws', 'auto'] as const)
    servers.push(await LiveServer.start({ transport, database: database.connection }))
  const definition = { id: APP, name: 'Shop', preamble: '', model: { default: 'scripted/demo' } }
  await place(0).store.putApp({ id: APP, definition, updatedAt: Date.now() })
  key = await makeKey()
})
afterAll(async () => {
  await Promise.all(servers.map((server) => server.close()))
  await database.drop()
})

async function mint(session: string, user = 'ann', by = key): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${place(0).port}/v1/tickets?app=${APP}`, {
    method: 'POST',
    headers: { 'x-api-key': by.key, 'content-type': 'application/json' },
    body: JSON.stringify({ session, user }),
  })
  expect(answer.status).toBe(201)
  return v.parse(TicketBody, await answer.json()).ticket
}

const url = (nth: number): string => `ws://127.0.0.1:${place(nth).port}/ws?app=${APP}`

/** The first frame that a ticket gets: `session.ready` or the verdict. */
async function show(
  nth: number,
  session: string,
  ticket: string,
): Promise<{ first: ControlFrame; socket: SocketClient }> {
  const protocols = offerProtocols(session, { kind: 'ticket', ticket })
  const socket = await SocketClient.connect(url(nth), { protocols, headers: { origin: 'https://shop.example' } })
  return { first: JSON.parse(await socket.next()), socket }
}

const codeOf = ({ first }: { first: ControlFrame }): string => (first.type === 'error' ? first.code : first.type)

describe('tickets between processes that share a store', () => {
  it('P-112: one of ten handshakes with one ticket at one moment gets in', async () => {
    const session = randomUUID()
    const ticket = await mint(session)
    const all = await Promise.all(Array.from({ length: 10 }, (_, nth) => show(nth % 2, session, ticket)))
    const codes = all.map(codeOf).toSorted()
    expect(codes).toEqual(['session.ready', ...Array.from({ length: 9 }, () => 'ticket_used')])
    for (const { socket } of all) socket.terminate()
  })

  it('P-114: a token of one process brings back in the other, to the same conversation', async () => {
    const session = randomUUID()
    const { first, socket } = await show(0, session, await mint(session))
    if (first.type !== 'session.ready' || first.reconnectToken === undefined) throw new Error(codeOf({ first }))
    socket.sendJson({ type: 'message.send', clientMessageId: 'm1', content: 'hello' })
    await socket.until((frame) => frame.includes('RUN_FINISHED'))
    socket.terminate()
    const back = await show(1, session, first.reconnectToken)
    expect(back.first).toMatchObject({ type: 'session.ready', resumed: 'snapshot', app: APP })
    expect(await back.socket.next()).toContain('"m1"')
    back.socket.terminate()
  })

  it('P-110: the session is its user’s and nobody else’s, also not the key’s own account’s', async () => {
    const session = randomUUID()
    const { socket } = await show(0, session, await mint(session))
    socket.sendJson({ type: 'message.send', clientMessageId: 'm1', content: 'hello' })
    await socket.until((frame) => frame.includes('RUN_FINISHED'))
    for (const nth of [0, 1]) {
      const bob = await show(nth, session, await mint(session, 'bob'))
      expect(codeOf(bob)).toBe('session_not_found')
      const server = await SocketClient.connect(url(nth), {
        protocols: offerProtocols(session),
        headers: { 'x-api-key': key.key },
      })
      expect(codeOf({ first: JSON.parse(await server.next()) })).toBe('session_not_found')
    }
    socket.terminate()
  })

  it('P-17: a ticket may stand in the query', async () => {
    const session = randomUUID()
    const ticket = await mint(session)
    const socket = await SocketClient.connect(`${url(1)}&session=${session}&ticket=${ticket}`)
    expect(JSON.parse(await socket.next())).toMatchObject({ type: 'session.ready', sessionId: session })
    socket.terminate()
  })

  it('I9: all that came in by a key’s tickets ends within a second of its end, in every process', async () => {
    const own = await makeKey()
    const sessions = [randomUUID(), randomUUID()]
    const peers = await Promise.all(
      sessions.map(async (session, nth) => show(nth, session, await mint(session, 'ann', own))),
    )
    expect(peers.map(codeOf)).toEqual(['session.ready', 'session.ready'])
    const revokedAt = performance.now()
    await place(0).store.revokeKey(own.id, Date.now())
    const closed = await Promise.all(peers.map(({ socket }) => socket.closed))
    expect(closed.map(({ code }) => code)).toEqual([4401, 4401])
    expect(performance.now() - revokedAt).toBeLessThan(REVOKED_WITHIN_MS)
  })

  it('the client asks its source for one ticket, comes back by its token, and asks again when that is no good', async () => {
    const session = randomUUID()
    let asked = 0
    const credential = async () => {
      asked++
      return { kind: 'ticket' as const, ticket: await mint(session) }
    }
    const environment = nodeEnvironment()
    const client = createParleyClient({
      url: url(0).split('?')[0] ?? '',
      app: APP,
      sessionId: session,
      credential,
      environment,
    })
    client.connect()
    await expect.poll(() => client.state.connection.phase).toBe('ready')
    environment.cut()
    await expect
      .poll(() => [client.state.connection.phase, environment.opened], { timeout: 5000 })
      .toEqual(['ready', 2])
    expect(asked).toBe(1)
    environment.spoil()
    environment.cut()
    await expect.poll(() => [client.state.connection.phase, asked], { timeout: 5000 }).toEqual(['ready', 2])
    client.close()
  })
})
