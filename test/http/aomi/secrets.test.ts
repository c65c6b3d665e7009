import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createAnthropic } from '../../../src/providers/anthropic.ts'
import { createOpenAi } from '../../../src/providers/openai.ts'
import { createScripted } from '../../../src/providers/scripted.ts'
import { createHttpTools } from '../../../src/tools/http/http-tool.ts'
import { AomiClient, addKeyedApp, linesOf, snapshotOf } from '../../support/aomi-client.ts'
import { ChatApi } from '../../support/chat-api.ts'
import { chatAnswer, says } from '../../support/chat-api-events.ts'
import { LiveServer } from '../../support/live-server.ts'
import { MessagesApi, type MessagesRequest } from '../../support/messages-api.ts'
import { answer, text } from '../../support/messages-api-events.ts'
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts'
import { stream } from '../../support/stub-server.ts'
import { TRANSPORTS } from '../../support/transports.ts'
import { json, serve } from '../../tools/http/service.ts'

const OPERATORS = 'sk-ant-operator'
const OWN = 'sk-ant-mine-hunter2'
const JSON_BODY = { 'content-type': 'application/json' }

describe.each(TRANSPORTS)('secrets that people leave, on %s', (transport) => {
  let database: TestDatabase
  let server: LiveServer
  let claude: MessagesApi
  let gpt: ChatApi
  const asked: string[] = []

  const start = () =>
    LiveServer.start({
      transport,
      database: database.connection,
      model: 'anthropic/claude',
      httpTool: createHttpTools({ hosts: ['127.0.0.1'], secrets: new Map() }),
      providers: [
        createAnthropic({ apiKey: OPERATORS, baseURL: claude.url, maxConcurrent: 10 }),
        createOpenAi({ baseURL: gpt.baseURL, maxConcurrent: 10 }),
        createScripted({ tokensPerSecond: 2000 }),
      ],
    })

  beforeAll(async () => {
    database = await createTestDatabase()
    claude = await MessagesApi.listen({
      script: ({ headers }: MessagesRequest) => {
        asked.push(String(headers['x-api-key'] ?? headers.authorization?.replace('Bearer ', '')))
        return stream(answer([text('Hi')]))
      },
    })
    gpt = await ChatApi.listen({
      script: ({ headers }) => {
        asked.push(String(headers.authorization))
        return stream(chatAnswer([says('Hi')]))
      },
    })
    server = await start()
  })

  afterAll(async () => {
    await server.close()
    await Promise.all([claude.close(), gpt.close()])
    await database.drop()
  })

  const send = (client: AomiClient, method: string, path: string, body?: object, headers = {}) =>
    client.request(method, path, {}, { ...headers, ...(body ? JSON_BODY : {}) }, body && JSON.stringify(body))
  const bring = (client: AomiClient, key = OWN) =>
    send(client, 'POST', '/api/control/provider-keys', { provider: 'anthropic', api_key: key, label: 'mine' })
  const leave = (client: AomiClient, secrets: object) =>
    send(client, 'POST', '/api/secrets', { client_id: client.id, secrets })
  const forget = (client: AomiClient, path: string) => client.request('DELETE', path, { client_id: client.id })
  const askedBy = async (client: AomiClient, query = {}) => {
    asked.length = 0
    await snapshotOf(client.chat('hello', query))
    await client.done()
    return [...asked]
  }

  it('a provider’s key is used by the session’s runs, shown by its beginning, and gone at once when it is deleted', async () => {
    const client = new AomiClient(server)
    expect(await askedBy(client)).toEqual([OPERATORS])
    const put = await bring(client)
    const shown = { provider: 'anthropic', key_prefix: OWN.slice(0, 4), label: 'mine', is_active: true }
    expect([put.status, await put.json()]).toEqual([200, { key: shown }])
    expect(await askedBy(client)).toEqual([OWN])
    const list = await send(client, 'GET', '/api/control/provider-keys')
    expect(await list.json()).toEqual({ provider_keys: [shown], byok_keys: [shown] })
    const gone = () => send(client, 'DELETE', '/api/control/provider-keys/anthropic')
    expect([await (await gone()).json(), await (await gone()).json()]).toEqual([{ deleted: true }, { deleted: false }])
    expect(await askedBy(client)).toEqual([OPERATORS])
  })

  it('of a session that is still to be made is used from its first run on, also over the WebSocket and after a restart', async () => {
    const client = new AomiClient(server)
    await snapshotOf(client.state())
    await bring(client)
    expect(await askedBy(client)).toEqual([OWN])
    await server.close()
    server = await start()
    asked.length = 0
    const socket = await server.connect(client.session)
    await socket.ask('hello')
    expect(asked).toEqual([OWN])
    await socket.leave()
  })

  it('belongs to the client: it is used in its other sessions, and by nobody else in the same one', async () => {
    const client = new AomiClient(server)
    await snapshotOf(client.chat('hello'))
    await bring(client)
    const second = new AomiClient(server)
    expect(await askedBy(second, { client_id: client.id })).toEqual([OWN])
    const stranger = new AomiClient(server, client.session)
    expect(await askedBy(stranger)).toEqual([OPERATORS])
    expect(await askedBy(client)).toEqual([OWN])
  })

  it('the widget leaves it as a secret and gets a handle', async () => {
    const client = new AomiClient(server)
    const left = await leave(client, { 'PROVIDER_KEY:anthropic': OWN, 'PROVIDER_KEY:openai': 'sk-openai-hunter2' })
    expect(await left.json()).toEqual({
      handles: {
        'PROVIDER_KEY:anthropic': '$SECRET:PROVIDER_KEY:anthropic',
        'PROVIDER_KEY:openai': '$SECRET:PROVIDER_KEY:openai',
      },
    })
    expect(await askedBy(client)).toEqual([OWN])
    expect(await (await forget(client, '/api/secrets/PROVIDER_KEY:anthropic')).json()).toEqual({ deleted: true })
    expect(await (await forget(client, '/api/secrets/PROVIDER_KEY:anthropic')).json()).toEqual({ deleted: false })
    expect(await askedBy(client)).toEqual([OPERATORS])
    expect(await (await forget(client, '/api/secrets')).json()).toEqual({ cleared: true })
    expect(await (await forget(client, '/api/secrets')).json()).toEqual({ cleared: false })
  })

  it('a key for a server that needs none is sent where a person brings one', async () => {
    const app = `gpt-${transport}`
    const key = await addKeyedApp(server, app, 'full')
    const definition = { id: app, name: app, preamble: '', model: { default: 'openai/gpt' }, aomi: { keyless: 'full' } }
    await server.store.putApp({ id: app, definition, updatedAt: 1 })
    const client = new AomiClient(server, randomUUID(), key)
    await expect.poll(() => askedBy(client, { app }), { timeout: 5000 }).toEqual(['undefined'])
    const body = { provider: 'openai', api_key: 'sk-openai-hunter2' }
    expect((await send(client, 'POST', '/api/control/provider-keys', body)).status).toBe(401)
    expect((await send(client, 'POST', '/api/control/provider-keys', body, { 'x-api-key': key })).status).toBe(200)
    expect(await askedBy(client, { app })).toEqual(['Bearer sk-openai-hunter2'])
    expect((await send(client, 'GET', '/api/control/provider-keys')).status).toBe(401)
  })

  it('an http tool sends a person’s secret, which neither the model nor the poll ever has', async () => {
    const service = await serve((request, response, seen) =>
      json({ told: request.headers.authorization })(request, response, seen),
    )
    const app = `orders-${transport}`
    const key = await addKeyedApp(server, app, 'full')
    const tool = {
      name: 'orders',
      description: 'Lists orders.',
      parameters: { type: 'object', properties: {} },
      method: 'GET',
      url: `http://127.0.0.1:${service.port}/orders`,
      headers: { Authorization: 'Bearer {person:SHOP_TOKEN}' },
    }
    const model = { default: 'scripted/demo' }
    const definition = { id: app, name: app, preamble: '', model, httpTools: [tool], aomi: { keyless: 'full' } }
    await server.store.putApp({ id: app, definition, updatedAt: 1 })
    const client = new AomiClient(server, randomUUID(), key)
    const use = async () => {
      await snapshotOf(client.chat('use orders {}', { app }))
      return linesOf(await client.done()).at(-1)
    }
    await expect.poll(use, { timeout: 5000 }).toContain('The person has not given SHOP_TOKEN')
    const secrets = { client_id: client.id, secrets: { SHOP_TOKEN: 'tok-hunter2-1' } }
    await send(client, 'POST', '/api/secrets', secrets, { 'x-api-key': key })
    expect(await use()).toContain('[secret]')
    expect(service.seen.at(-1)?.headers['authorization']).toBe('Bearer tok-hunter2-1')
    expect(JSON.stringify(await snapshotOf(client.state()))).not.toContain('hunter2')
    await client.request('DELETE', '/api/secrets', { client_id: client.id }, { 'x-api-key': key })
    expect(await use()).toContain('The person has not given SHOP_TOKEN')
  })

  it('nothing in the database is a secret', async () => {
    const client = new AomiClient(server)
    await leave(client, { TOKEN: 'tok-hunter2-9' })
    const rows = await database.sql<{ all: string }[]>`select v::text as all from vault_entries v`
    const whole = rows.map(({ all }) => all).join('\n')
    expect(whole).toContain('TOKEN')
    expect(whole).not.toContain('hunter2')
    expect(whole).not.toContain(client.id)
  })

  it('one that was put in another’s place opens nothing', async () => {
    const [one, two] = [new AomiClient(server), new AomiClient(server)]
    await leave(one, { 'PROVIDER_KEY:anthropic': OWN })
    const mine = await database.sql`select vault, sealed from vault_entries order by updated_at desc limit 1`
    await leave(two, { 'PROVIDER_KEY:anthropic': 'sk-ant-other' })
    await database.sql`
      update vault_entries set sealed = ${String(mine[0]?.['sealed'])} where vault = (
        select vault from vault_entries order by updated_at desc limit 1)`
    asked.length = 0
    const snapshot = await snapshotOf(two.chat('hello'))
    expect([asked, linesOf(snapshot).at(-1)]).toEqual([[], expect.stringMatching(/^agent: /)])
    expect(JSON.stringify(snapshot)).not.toContain('hunter2')
  })

  it.each([
    ['no client', { secrets: {} }],
    ['a client that can be guessed', { client_id: 'me', secrets: {} }],
    ['a name that is none', { client_id: randomUUID(), secrets: { 'a b': 'long enough' } }],
    ['a secret that is too short', { client_id: randomUUID(), secrets: { TOKEN: 'short' } }],
    ['one that no header carries', { client_id: randomUUID(), secrets: { TOKEN: 'line\nbreak-hunter2' } }],
    ['one that is too long', { client_id: randomUUID(), secrets: { TOKEN: 'x'.repeat(4097) } }],
    [
      'too many',
      {
        client_id: randomUUID(),
        secrets: Object.fromEntries(Array.from({ length: 33 }, (_, nth) => [`T${nth}`, 'long enough'])),
      },
    ],
  ])('refuses %s, without saying what it was', async (_what, body) => {
    const refused = await send(new AomiClient(server), 'POST', '/api/secrets', body)
    const said = await refused.text()
    expect(refused.status).toBe(400)
    expect(said).not.toContain('hunter2')
  })

  it('refuses more than a client may keep, and a provider that it has not', async () => {
    const client = new AomiClient(server)
    const some = (prefix: string) =>
      Object.fromEntries(Array.from({ length: 20 }, (_, nth) => [`${prefix}${nth}`, 'long enough']))
    expect((await leave(client, some('A'))).status).toBe(200)
    expect((await leave(client, some('B'))).status).toBe(400)
    const body = { provider: 'acme', api_key: OWN }
    const refused = await send(client, 'POST', '/api/control/provider-keys', body)
    expect([refused.status, await refused.json()]).toEqual([
      400,
      { error: 'provider: this server takes keys for anthropic, openai', code: 'bad_request' },
    ])
  })
})
