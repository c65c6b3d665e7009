import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { AomiClient, addKeyedApp, linesOf, snapshotOf } from '../../support/aomi-client.ts'
import { LiveServer } from '../../support/live-server.ts'
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts'
import { TRANSPORTS } from '../../support/transports.ts'

const JSON_BODY = { 'content-type': 'application/json' }
const WALLET = '0x742d35Cc6634C0532925a3b844Bc9e7595f2bD68'
const PAGE = 'https://shop.example'

describe.each(TRANSPORTS)('the sessions that Aomi’s client lists and changes, on %s', (transport) => {
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

  const ask = (client: AomiClient, method: string, rest = '', body?: object, headers = {}) => {
    const sent = body === undefined ? {} : JSON_BODY
    const path = `/api/sessions/${client.session}${rest}`
    return client.request(method, path, {}, { ...sent, ...headers }, body && JSON.stringify(body))
  }
  const make = async (client: AomiClient, body = '{}', headers = {}) =>
    (await client.request('POST', '/api/sessions', {}, { ...JSON_BODY, ...headers }, body)).json()

  it('makes, names, archives and deletes one; a restart forgets nothing of it', async () => {
    const client = new AomiClient(server)
    expect((await ask(client, 'GET')).status).toBe(404)
    expect(await make(client)).toEqual({ session_id: client.session, title: 'New Chat', created: true })
    expect(await make(client)).toEqual({ session_id: client.session, title: 'New Chat', created: false })
    expect((await ask(client, 'PATCH', '', {})).status).toBe(400)
    expect((await ask(client, 'PATCH', '', { title: 'My talk' })).status).toBe(200)
    expect(await (await ask(client, 'POST', '/archive')).json()).toMatchObject({ is_archived: true })
    await server.close()
    server = await LiveServer.start({ transport, database: database.connection })
    const later = new AomiClient(server, client.session)
    expect(await (await ask(later, 'GET')).json()).toMatchObject({
      session_id: client.session,
      title: 'My talk',
      is_archived: true,
      threads: [{ id: client.session, title: 'My talk' }],
    })
    expect(await (await ask(later, 'POST', '/unarchive')).json()).toMatchObject({ is_archived: false })
    expect((await ask(later, 'DELETE')).status).toBe(200)
    expect((await ask(later, 'GET')).status).toBe(404)
    expect((await ask(later, 'PATCH', '', { title: 'x' })).status).toBe(404)
    expect((await snapshotOf(later.state())).messages).toEqual([])
  })

  it('one that is made without a body, or whose making is all there is, is chatted with by a key', async () => {
    const key = await addKeyedApp(server, 'made', 'full')
    const client = new AomiClient(server, randomUUID(), key)
    const wallet = JSON.stringify({ public_key: WALLET })
    expect(await make(client, wallet)).toMatchObject({ created: true })
    expect(linesOf(await snapshotOf(client.chat('hello', { app: 'made' })))[0]).toBe('user: hello')
    const other = new AomiClient(server)
    expect((await other.request('POST', '/api/sessions')).status).toBe(200)
    await snapshotOf(other.chat('hello'))
    const foreign = new AomiClient(server, other.session, key)
    expect((await foreign.chat('hello', { app: 'made' })).status).toBe(404)
    expect((await snapshotOf(other.state())).messages).toHaveLength(2)
  })

  it('that is empty becomes a key’s once, when many first chats come at once', async () => {
    const key = await addKeyedApp(server, 'raced', 'full')
    for (let round = 0; round < 5; round++) {
      const client = new AomiClient(server, randomUUID(), key)
      await make(client, JSON.stringify({ public_key: WALLET }))
      const texts = ['one', 'two', 'three']
      const answers = await Promise.all(texts.map((text) => client.chat(`hello ${text}`, { app: 'raced' })))
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
      expect((await client.done()).messages.filter(({ sender }) => sender === 'user')).toHaveLength(3)
      const rows = await database.sql`select app, account, wallet from sessions where id = ${client.session}`
      expect(rows).toEqual([{ app: 'raced', account: 'acme', wallet: { address: WALLET, chain: '1' } }])
    }
  })

  it('that is empty becomes a key’s once, when first chats come to two processes at once', async () => {
    const key = await addKeyedApp(server, 'raced-two', 'full')
    const other = await LiveServer.start({ transport, database: database.connection })
    const client = new AomiClient(server, randomUUID(), key)
    await make(client, JSON.stringify({ public_key: WALLET }))
    const late = new AomiClient(other, client.session, key)
    await snapshotOf(late.state())
    // It decides on what it knew, and asks the store when the other process has taken its chat.
    const remove = other.store.delete.bind(other.store)
    vi.spyOn(other.store, 'delete').mockImplementationOnce(async (...which) => {
      expect((await client.chat('hello one', { app: 'raced-two' })).status).toBe(200)
      return remove(...which)
    })
    expect((await late.chat('hello two', { app: 'raced-two' })).status).toBe(200)
    const said = (await late.done()).messages.filter(({ sender }) => sender === 'user')
    expect(said.map(({ content }) => content)).toEqual(['hello one', 'hello two'])
    await other.close()
  })

  it('on a page that may not use the default App comes to be with its first chat', async () => {
    const key = await addKeyedApp(server, 'page', 'full', { kind: 'publishable', origins: [PAGE] })
    const client = new AomiClient(server, randomUUID(), key)
    const headers = { origin: PAGE }
    expect(await make(client, '{}', headers)).toEqual({ session_id: client.session, title: 'New Chat', created: false })
    await snapshotOf(client.chat('hello', { app: 'page' }, headers))
    expect(await (await ask(client, 'GET', '', undefined, headers)).json()).toMatchObject({ title: 'hello' })
  })

  it('one that a key made is deleted with it only, and renamed by who knows its id', async () => {
    const key = await addKeyedApp(server, 'keyed', 'full')
    const client = new AomiClient(server, randomUUID(), key)
    await snapshotOf(client.chat('hello', { app: 'keyed' }))
    expect((await ask(client, 'PATCH', '', { title: 'Mine' })).status).toBe(200)
    expect((await ask(client, 'DELETE')).status).toBe(403)
    expect((await ask(client, 'DELETE', '', undefined, { 'x-api-key': key })).status).toBe(200)
    expect((await ask(client, 'GET')).status).toBe(404)
  })

  it('a path and a header that name two sessions are refused', async () => {
    const client = new AomiClient(server)
    const answer = await client.request('GET', `/api/sessions/${randomUUID()}`)
    expect(answer.status).toBe(400)
  })

  describe('the list', () => {
    const list = async (query: Record<string, string>, headers: Record<string, string> = {}) => {
      const url = `http://127.0.0.1:${server.port}/api/sessions?${new URLSearchParams(query).toString()}`
      const answer = await fetch(url, { headers })
      return [answer.status, await answer.json()]
    }

    it('of a wallet is empty: whoever knows an address would get the ids', async () => {
      const client = new AomiClient(server)
      await snapshotOf(client.chat('hello', { public_key: WALLET }))
      expect(await list({ public_key: WALLET })).toEqual([200, []])
      expect(await list({})).toEqual([200, []])
    })

    it('of a wallet, where the operator says so, holds what no key made', async () => {
      const open = await LiveServer.start({ transport, database: database.connection, walletList: true })
      const url = `http://127.0.0.1:${open.port}/api/sessions?public_key=${WALLET}9`
      const mine = new AomiClient(open)
      await snapshotOf(mine.chat('hello', { public_key: `${WALLET}9` }))
      const key = await addKeyedApp(open, 'walled', 'full')
      await snapshotOf(new AomiClient(open, randomUUID(), key).chat('x', { app: 'walled', public_key: `${WALLET}9` }))
      expect(await (await fetch(url)).json()).toEqual([
        { session_id: mine.session, title: 'hello', is_archived: false },
      ])
      await open.close()
    })

    it('of a wallet holds nothing that a key made for who shows a publishable key of the same account, either', async () => {
      const open = await LiveServer.start({ transport, database: database.connection, walletList: true })
      const page = await addKeyedApp(open, 'paged', 'full', { kind: 'publishable', origins: [PAGE] })
      const secret = await addKeyedApp(open, 'paged', 'full')
      const query = { app: 'paged', public_key: `${WALLET}8` }
      await snapshotOf(new AomiClient(open, randomUUID(), page).chat('x', query, { origin: PAGE }))
      await snapshotOf(new AomiClient(open, randomUUID(), secret).chat('x', query))
      const asked = (headers: Record<string, string>) =>
        new AomiClient(open).request('GET', '/api/sessions', query, headers)
      const shown = await asked({ 'x-api-key': page, origin: PAGE })
      expect([shown.status, await shown.json()]).toEqual([200, []])
      expect(await (await asked({ 'x-api-key': secret })).json()).toHaveLength(2)
      await open.close()
    })

    it('of a secret key is its account’s, the newest first', async () => {
      const account = randomUUID()
      const key = await addKeyedApp(server, 'listed', 'off', { account })
      const clients = [new AomiClient(server, randomUUID(), key), new AomiClient(server, randomUUID(), key)]
      for (const client of clients) await snapshotOf(client.chat('hello', { app: 'listed' }))
      const ids = clients.map(({ session }) => session).toReversed()
      const listed = ids.map((session_id) => ({ session_id, title: 'hello', is_archived: false }))
      expect(await list({ app: 'listed' }, { 'x-api-key': key })).toEqual([200, listed])
      expect(await list({ app: 'listed', limit: '1' }, { 'x-api-key': key })).toEqual([200, listed.slice(0, 1)])
      expect((await list({ app: 'listed' }, { 'x-api-key': `${key}x` }))[0]).toBe(401)
      expect((await list({ limit: 'x' }))[0]).toBe(400)
    })
  })

  describe('what may be chosen', () => {
    const read = async (path: string, headers: Record<string, string> = {}, query = {}) =>
      (await new AomiClient(server).request('GET', path, query, headers)).json()

    it('Apps: the default one and those of the key, as each generation reads them', async () => {
      const key = await addKeyedApp(server, 'chosen', 'off')
      expect(await read('/api/control/apps')).toEqual(['default'])
      expect(await read('/api/control/apps', { 'x-api-key': key })).toEqual(['default', 'chosen'])
      const described = [{ name: 'default' }, { name: 'chosen' }]
      expect(await read('/api/control/apps', { 'aomi-app-key': key })).toEqual(described)
      expect(await read('/api/session/apps', { 'x-api-key': key })).toEqual(described)
      expect(await read('/api/control/namespaces')).toEqual(['default'])
      const wrong = await new AomiClient(server).request('GET', '/api/control/apps', {}, { 'x-api-key': `${key}x` })
      expect(wrong.status).toBe(401)
    })

    it('models: those of the App, and one of them for the session', async () => {
      const key = await addKeyedApp(server, 'modelled', 'full')
      const client = new AomiClient(server, randomUUID(), key)
      expect(await read('/api/control/models')).toEqual(['scripted/demo'])
      expect(await read('/api/session/models', { 'x-api-key': key }, { app: 'modelled' })).toEqual([
        'scripted/demo',
        'scripted/other',
      ])
      expect((await client.request('GET', '/api/control/models', { app: 'modelled' })).status).toBe(401)
      const choose = (rig: string, headers: Record<string, string> = { 'x-api-key': key }) =>
        client.request('POST', '/api/control/model', { rig, app: 'modelled' }, headers)
      expect(await (await choose('scripted/other')).json()).toEqual({
        success: true,
        rig: 'scripted/other',
        baml: 'scripted/other',
        created: true,
      })
      expect((await choose('scripted/none')).status).toBe(400)
      expect((await choose('scripted/demo', {})).status).toBe(200)
      const body = JSON.stringify({ model: 'scripted/other' })
      const older = await client.request('POST', '/api/control/model', { session_id: client.session }, JSON_BODY, body)
      expect(await older.json()).toMatchObject({ success: true, created: false })
      const rows = await database.sql`select model from sessions where id = ${client.session}`
      expect(rows[0]?.['model']).toBe('scripted/other')
    })

    it('a session that is not saved is not served, and says so', async () => {
      const answer = await new AomiClient(server).request('POST', '/api/memory-mode')
      expect(answer.status).toBe(501)
      expect(await answer.json()).toEqual({ error: expect.stringContaining('does not'), code: 'not_implemented' })
    })

    it('provider keys: none; the database’s own routes: nothing', async () => {
      expect(await read('/api/control/provider-keys')).toEqual({ provider_keys: [], byok_keys: [] })
      expect((await new AomiClient(server).request('GET', '/api/db/stats')).status).toBe(404)
      const health = await fetch(`http://127.0.0.1:${server.port}/health`)
      expect([health.status, await health.text()]).toEqual([200, 'OK'])
    })
  })

  it('all of it under the names of the later generations', async () => {
    const client = new AomiClient(server)
    const url = (path: string) => `http://127.0.0.1:${server.port}${path}`
    const headers = { 'x-thread-id': client.session }
    const statuses = []
    for (const [method, path] of [
      ['POST', '/api/session/chat?message=hello'],
      ['GET', '/api/thread/state'],
      ['POST', '/api/thread/interrupt'],
      ['POST', '/api/session/system?message=x'],
      ['GET', '/api/thread/events'],
      ['POST', '/api/threads'],
      ['GET', `/api/threads/${client.session}`],
      ['POST', `/api/threads/${client.session}/archive`],
      ['DELETE', `/api/threads/${client.session}`],
    ] as const)
      statuses.push((await fetch(url(path), { method, headers })).status)
    expect(statuses).toEqual(statuses.map(() => 200))
    expect((await fetch(url('/api/threads'), { method: 'PUT', headers })).status).toBe(405)
  })
})
